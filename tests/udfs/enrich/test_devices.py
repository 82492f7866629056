import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.core import grows_linearly
from udfs.enrich.devices import device_type
from udfs.enrich.user_agent import MAX_LENGTH, parse_user_agent

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


def android(model: str, rest: str = "Chrome/120.0.0.0 Mobile Safari/537.36") -> str:
    return f"Mozilla/5.0 (Linux; Android 13; {model}) {WEBKIT} {rest}"


TABLET_BROWSER = "Chrome/120.0.0.0 Safari/537.36"


@pytest.mark.parametrize(
    ("agent", "kind"),
    [
        # Phones, and apps on them, whose user agents lack Mobile
        (android("Pixel 8"), "mobile"),
        (android("SM-S938B Build/AP3A.240905.015.A2; wv"), "mobile"),
        ("Dalvik/2.1.0 (Linux; U; Android 11; V2039 Build/RP1A.200720.012)", "mobile"),
        ("Instagram 302.0.0.23.114 Android (33/13; 420dpi; 1080x2177; samsung; SM-A546B)",
         "mobile"),
        ("Spotify/8.8.96 Android/33 (SM-G991B)", "mobile"),
        ("Opera/9.80 (Android; Opera Mini/36.2/191.249; U; en) Presto/2.12.423", "mobile"),
        ("UCWEB/2.0 (MIDP-2.0; U; Adr 5.0.2; en-US; Redmi_Note_2) U2/1.0.0 UCBrowser/9.7",
         "mobile"),
        ("Mozilla/5.0 (Mobile; LYF/F30C; Android; rv:48.0) Gecko/48.0 Firefox/48.0 KAIOS/2.0",
         "mobile"),
        (f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) {WEBKIT} Mobile/15E148",
         "mobile"),
        (("Mozilla/5.0 (Linux; U; Android 4.1.2; en-us; LG-E980 Build/JZO54K) AppleWebKit/534.30 "
         "(KHTML, like Gecko) Version/4.0 Mobile Safari/534.30"), "mobile"),
        ("MixerBox/807.iOS (iPhone; iOS 14.4; en_US)", "mobile"),
        ("com.dropbox.android/320 (Linux; U; Android 13; Pixel 7)", "mobile"),
        # Tablets
        (android("SM-X900", TABLET_BROWSER), "tablet"),
        (android("Lenovo TB-8505XS"), "tablet"),
        (android("TAB-10US"), "tablet"),
        ("Dalvik/2.1.0 (Linux; U; Android 12; SM-T515)", "tablet"),
        (f"Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) {WEBKIT} Mobile/15E148", "tablet"),
        # Televisions
        (("Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/94.0 "
         "Safari/537.36 WebAppManager"), "other"),
        (("Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/537.36 SamsungBrowser/4.0 TV "
         "Safari/537.36"), "other"),
        ("Mozilla/5.0 (SMART-TV; X11; Linux i686) AppleWebKit/535.20+ Version/5.0 Safari/535.20+",
         "other"),
        ("HbbTV/1.5.1 (+DRM; LGE; 55UJ; WEBOS4; 04.10.20)", "other"),
        (android("AFTKA Build/PS7633", TABLET_BROWSER), "other"),
        (android("BRAVIA 4K UR3", TABLET_BROWSER), "other"),
        (android("43KUS65 Build/PPR2.180905.006.A1; wv", TABLET_BROWSER), "other"),
        (android("X96Max_Plus_Q1", TABLET_BROWSER), "other"),
        (android("rk3128_box", TABLET_BROWSER), "other"),
        (android("HTY-24H06W", "Chrome/109.0 YaBrowser/23.1 (lite) TV Safari/537.36"), "other"),
        ("Dalvik/2.1.0 (Linux; U; Android 10; AT&T TV Build/QTG1.201103.001)", "other"),
        ("Roku/DVP-12.5 (12.5.0.4178-88)", "other"),
        ("AppleTV11,1/16.1", "other"),
        ("Opera/9.80 (Linux mips; ) Presto/2.12.407 Version/12.51 MB95/3.6.6.j", "other"),
        # Consoles, headsets, watches, speakers, cars
        ("Mozilla/5.0 (PlayStation; PlayStation 5/2.26) AppleWebKit/605.1.15", "other"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox Series X) Edge/20.02", "other"),
        ("Mozilla/5.0 (Nintendo Switch; WifiWebAuthApplet) AppleWebKit/609.4", "other"),
        ("Mozilla/5.0 (New Nintendo 3DS like iPhone) AppleWebKit/536.30 NintendoBrowser/1.10",
         "other"),
        (f"Mozilla/5.0 (X11; Linux x86_64; Quest 3) {WEBKIT} OculusBrowser/32.1 VR Safari/537.36",
         "other"),
        (android("TicWatch Pro 5"), "other"),
        (android("SM-R905U"), "other"),
        (android("AEOTA", TABLET_BROWSER), "other"),
        (f"Mozilla/5.0 (X11; GNU/Linux) {WEBKIT} Chrome/98.0 Safari/537.36 Tesla/2022.44.30",
         "other"),
        # Computers
        ("Mozilla/5.0 (Wayland; Linux x86_64) AppleWebKit/537.36 Chrome/96.0 Safari/537.36",
         "desktop"),
        ("Mozilla/5.0 (X11; FreeBSD amd64; rv:25.0) Gecko/20100101 Firefox/25.0", "desktop"),
        ("Mozilla/5.0 (X11; OpenBSD amd64) AppleWebKit/537.36 Chrome/28.0 Safari/537.36",
         "desktop"),
        ("Mozilla/5.0 (compatible; Konqueror/3.5; Linux) KHTML/3.5.5 (like Gecko)", "desktop"),
        ("Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Tablet PC 2.0; Alexa Toolbar)",
         "desktop"),
        ("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 Chrome/120.0", "desktop"),
        (android("HP Chromebook x360", TABLET_BROWSER), "desktop"),
        ("Safari5533.18.5 CFNetwork/438.14 Darwin/9.8.0 (Power%20Macintosh)", "desktop"),
        # No device
        ("gibberish", "other"),
    ],
)  # fmt: skip
def test_devices(agent: str, kind: str) -> None:
    assert parse_user_agent(agent).device_type == kind


@pytest.mark.parametrize("agent", ["libwww-perl/6.05", "HTTPie/3.2.1", "curl/8.5.0"])
def test_what_is_no_device_at_all(agent: str) -> None:
    assert parse_user_agent(agent).device_type == "bot"


@given(st.text() | st.text("android ;tv(43ab)box/.", max_size=120))
def test_any_text_gives_an_answer(text: str) -> None:
    assert device_type(text, "other") in {"desktop", "mobile", "tablet", "other"}


@pytest.mark.parametrize(
    "unit",
    ["android ", "; ", "; android 43", "a", "43ab", "kodi/", "(linux ", "aft", "tab-", "safari/1"],
)
def test_time_grows_with_length(unit: str) -> None:
    def work(text: str) -> None:
        device_type(text, "other")
        device_type(f"android {text}", "other")

    assert grows_linearly(work, lambda n: (unit * n)[:n], 4 * MAX_LENGTH)
