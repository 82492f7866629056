"""Lines full of personal data, whole and damaged."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from hypothesis import strategies as st

from tests.support.core import FIREFOX

FORMATS = ["combined", "common", "vhost_combined", "combined_xff"]
SIGNS = ["@", "%40", r"\x40", "%u0040", "\uff20", "%EF%BC%A0"]
FUTURE = "01/Jan/2099:00:00:00 +0000"


def words(initial: str, letters: str = "QXZWKÖŻÉ") -> st.SearchStrategy[str]:
    """Returns words that are part of no other text; each kind of word has its own initial."""
    return st.text(letters, min_size=8, max_size=12).map(lambda text: initial + text)


addresses = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
    st.ip_addresses(v=6).map(lambda address: address.exploded.upper()),
    words("H", "QXZWK").map(lambda name: f"{name}.isp.example"),
).filter(lambda host: not host.startswith("0.") and host not in {"::", "::1"})


CASES: list[Callable[[str], str]] = [str, str.lower, str.title]


def percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def forms(host: str) -> list[str]:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return [host]
    if address.version == 4:
        mapped = ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
        pairs = mapped.exploded[-9:]
        return [host, host.replace(".", "-"), f"[::FFFF:{host}]:443", f"::ffff:{pairs}"]
    return [host, address.exploded, address.compressed]


@st.composite
def personal_lines(draw: st.DrawFn) -> tuple[bytes, str, list[str]]:
    """Draws a line full of personal data, its format, and the texts that must stay hidden."""
    host, log_format = draw(addresses), draw(st.sampled_from(FORMATS))
    user, mail, search, *secrets = (draw(words(initial)) for initial in "UMSABC")
    quotes, sign = draw(st.sampled_from(["", '\\"', "%22"])), draw(st.sampled_from(SIGNS))
    email = f"{quotes}{mail}{quotes}{sign}{draw(st.sampled_from([f'{mail}.example', 'intranet']))}"
    names = st.sampled_from(["token", "Email", "pass%77ord", "user.phone", "api-key", "%2574oken"])

    def spelt(text: str) -> str:
        case = draw(st.sampled_from(CASES))
        return draw(st.sampled_from([case(text), percent(case(text))]))

    def url(start: str, secret: str, last: str = "b=2") -> str:
        places = [
            f"/~{spelt(user)}/",
            f"/{spelt(email)}/",
            f"/{spelt(draw(st.sampled_from(forms(host))))}/",
            "/plain/",
        ]
        chosen = "".join(draw(st.lists(st.sampled_from(places), max_size=3)))
        mark = draw(st.sampled_from(["?", "#", "?a=1&", "?a=1;", "?next=%2Fx%3Fa%3D1%26"]))
        equals = "%3D" if "%3F" in mark else "="
        return f"{start}{chosen or '/'}{mark}{draw(names)}{equals}{spelt(secret)}&{last}"

    method = draw(st.sampled_from(["GET", "DELETE"]))
    request = f"{method} {url('', secrets[0])} HTTP/1.1"
    referer = url(
        draw(st.sampled_from(["http://h.example", f"http://{user}:x@h.example"])),
        secrets[1],
        f"q={search}",
    )
    repeated = draw(st.sampled_from([user, email, forms(host)[0], f"u?token={secrets[2]}"]))
    agent = FIREFOX.replace("rv:128.0", repeated)
    timestamp = draw(
        st.sampled_from(["28/Oct/2025:10:15:30 +0000", FUTURE, "28/Oct/1990:10:15:30 +0000", "x y"])
    )
    line = f'{host} - {user} [{timestamp}] "{request}" 200 12'
    if log_format == "vhost_combined":
        line = f"www.example.com:80 {line}"
    if log_format != "common":
        line += f' "{referer}" "{agent}"'
    if log_format == "combined_xff":
        line += f' "{host}"'
    left = [f"{mail}{quote}{sign}" for quote in ("", '"') for sign in ("@", "\uff20")]
    return line.encode(), log_format, [user, *left, search, "Firefox/128.0", *secrets, *forms(host)]


@st.composite
def damaged(draw: st.DrawFn, line: bytes) -> bytes:
    """Draws the line as it may arrive: whole, cut off, glued to another, or broken at its seams."""
    seams = [at for at, byte in enumerate(line) if byte in b'"[] ']
    match draw(st.sampled_from(["whole", "cut", "glued", "seam", "junk", "long"])):
        case "cut":
            return line[: draw(st.integers(0, len(line)))]
        case "glued":
            return line[: draw(st.sampled_from(seams)) + 1] + line
        case "seam":
            # A break at a blank would make the host another host.
            at = draw(st.sampled_from([at for at in seams if line[at : at + 1] != b" "]))
            return line[:at] + draw(st.sampled_from([b"", b" ", b"\xff"])) + line[at + 1 :]
        case "junk":
            junk = draw(st.sampled_from([b'"', b"\xff\xfe", b" -", b"\\"]))
            return draw(st.sampled_from([junk + line, line + junk]))
        case "long":
            return line + b"x" * 2000
        case _:
            return line
