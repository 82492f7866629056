"""Makes `static/world.js`, the map's outlines, from the npm package `world-atlas`.

Usage: python -m tools.dashboard.world_map FOLDER

FOLDER is where `npm pack world-atlas@2.0.2` was unpacked; it holds `countries-110m.json` and
`countries-50m.json` (TopoJSON of Natural Earth, public domain). What the browser would have
to do each time is done here once: the arcs are put together, projected and rounded, so the
page needs no map library. The projection is Equal Earth: areas keep their size, as a map
that compares countries should show them.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from udfs.enrich.countries import country_names

WORLD = Path(__file__).with_name("static") / "world.js"
WIDTH = 1000
"""Units of the drawing from the antimeridian to itself."""

# Polynomial of the Equal Earth projection: B. Savric, T. Patterson, B. Jenny: The Equal Earth
# map projection. International Journal of Geographical Information Science 33 (2019).
_A1, _A2, _A3, _A4 = 1.340264, -0.081106, 0.000893, 0.003796
_M = math.sqrt(3) / 2
_X_AT_180 = math.pi / (_M * _A1)
_SCALE = WIDTH / (2 * _X_AT_180)
# Antarctica has no visitors, and takes a fifth of the height.
_SOUTH, _NORTH = -56.5, 84.0
_LEFT_OUT = "Antarctica"

# Natural Earth abbreviates, and has parts of countries and disputed areas that have no code.
_CODES = {
    "Antigua and Barb.": "AG",
    "Bosnia and Herz.": "BA",
    "Br. Indian Ocean Ter.": "IO",
    "British Virgin Is.": "VG",
    "Cayman Is.": "KY",
    "Central African Rep.": "CF",
    "Congo": "CG",
    "Cook Is.": "CK",
    "Côte d'Ivoire": "CI",
    "Dem. Rep. Congo": "CD",
    "Dominican Rep.": "DO",
    "Eq. Guinea": "GQ",
    "Faeroe Is.": "FO",
    "Falkland Is.": "FK",
    "Fr. Polynesia": "PF",
    "Fr. S. Antarctic Lands": "TF",
    "Heard I. and McDonald Is.": "HM",
    "Macedonia": "MK",
    "Marshall Is.": "MH",
    "Micronesia": "FM",
    "N. Mariana Is.": "MP",
    "Netherlands": "NL",
    "Pitcairn Is.": "PN",
    "S. Geo. and the Is.": "GS",
    "S. Sudan": "SS",
    "Solomon Is.": "SB",
    "St-Barthélemy": "BL",
    "St-Martin": "MF",
    "St. Kitts and Nevis": "KN",
    "St. Pierre and Miquelon": "PM",
    "St. Vin. and Gren.": "VC",
    "Turkey": "TR",
    "Turks and Caicos Is.": "TC",
    "U.S. Virgin Is.": "VI",
    "United States of America": "US",
    "W. Sahara": "EH",
    "Wallis and Futuna Is.": "WF",
    "eSwatini": "SZ",
    "Åland": "AX",
    "São Tomé and Principe": "ST",
    "Vatican": "VA",
}
_WITHOUT_CODE = frozenset(
    {
        "Ashmore and Cartier Is.",
        "Indian Ocean Ter.",
        "N. Cyprus",
        "Siachen Glacier",
        "Somaliland",
    }
)

# Parts of their countries in Natural Earth that the data of both vendors knows by a code of
# their own; where they lie, in degrees north and east.
_PLACES = {
    "BQ": (12.2, -68.3),
    "GF": (4.0, -53.0),
    "GI": (36.14, -5.35),
    "GP": (16.2, -61.55),
    "MQ": (14.65, -61.0),
    "RE": (-21.1, 55.5),
    "YT": (-12.8, 45.15),
    "TV": (-8.5, 179.2),
    "TK": (-9.2, -171.85),
    "CC": (-12.17, 96.83),
    "CX": (-10.49, 105.63),
    "SJ": (78.7, 16.0),
}

type Point = tuple[float, float]
type Ring = list[Point]


class Atlas:
    """A TopoJSON document of countries.

    Args:
        document: Its parsed JSON.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self._scale = document["transform"]["scale"]
        self._translate = document["transform"]["translate"]
        self._arcs = [list(self._decoded(arc)) for arc in document["arcs"]]
        self._geometries = document["objects"]["countries"]["geometries"]

    def countries(self) -> Iterator[tuple[str, list[Ring]]]:
        """Name and rings (longitude, latitude in degrees) of each country."""
        for geometry in self._geometries:
            polygons = {"Polygon": [geometry.get("arcs")], "MultiPolygon": geometry.get("arcs")}
            rings = [ring for polygon in polygons[geometry["type"]] for ring in polygon]
            pieces = [piece for ring in rings for piece in within_the_map(self._ring(ring))]
            yield geometry["properties"]["name"], pieces

    def _decoded(self, arc: Sequence[Sequence[int]]) -> Iterator[Point]:
        x = y = 0
        for step_x, step_y in arc:
            x, y = x + step_x, y + step_y
            yield (
                x * self._scale[0] + self._translate[0],
                y * self._scale[1] + self._translate[1],
            )

    def _ring(self, indices: Iterable[int]) -> Ring:
        points: Ring = []
        for index in indices:
            arc = self._arcs[index] if index >= 0 else self._arcs[~index][::-1]
            # An arc begins where the one before it ends.
            points += arc[1:] if points else arc
        return points


def within_the_map(ring: Ring) -> Iterator[Ring]:
    """Cuts a ring at the antimeridian, across which the atlas lets it go on."""
    whole = [ring[0]]
    for longitude, latitude in ring[1:]:
        turns = round((whole[-1][0] - longitude) / 360)
        whole.append((longitude + 360 * turns, latitude))
    for shift in (-360, 0, 360):
        piece = [(longitude + shift, latitude) for longitude, latitude in whole]
        for border in (-180, 180):
            piece = list(_beyond(piece, border))
        if len(piece) > 3:
            yield [*piece, piece[0]]


def _beyond(ring: Ring, border: int) -> Iterator[Point]:
    """What of a ring lies on the map's side of a meridian at its border."""
    inside = [longitude * border <= border * border for longitude, _ in ring]
    for index, (longitude, latitude) in enumerate(ring):
        before, (x, y) = inside[index - 1], ring[index - 1]
        if before != inside[index]:
            yield border, y + (latitude - y) * (border - x) / (longitude - x)
        if inside[index]:
            yield longitude, latitude


def project(longitude: float, latitude: float) -> Point:
    """The place of a point in the drawing: x to the right, y downwards."""
    angle = math.asin(_M * math.sin(math.radians(latitude)))
    squared = angle * angle
    sixth = squared**3
    x = (
        math.radians(longitude)
        * math.cos(angle)
        / (_M * (_A1 + 3 * _A2 * squared + sixth * (7 * _A3 + 9 * _A4 * squared)))
    )
    y = angle * (_A1 + _A2 * squared + sixth * (_A3 + _A4 * squared))
    return (x + _X_AT_180) * _SCALE, -y * _SCALE


def code_of(name: str) -> str | None:
    """The two-letter code of a country by its name in Natural Earth; None without one.

    Raises:
        KeyError: The name is not known.
    """
    if name in _WITHOUT_CODE:
        return None
    codes = {known: code for code, known in country_names().items()}
    return _CODES.get(name) or codes[name]


def drawing(coarse: Atlas, fine: Atlas) -> dict[str, Any]:
    """The map: outlines for large countries, a dot each for those too small to see.

    Args:
        coarse: Gives the outlines.
        fine: Knows the small countries too.
    """
    top = project(0, _NORTH)[1]
    height = project(0, _SOUTH)[1] - top

    def place(point: Point) -> Point:
        return point[0], point[1] - top

    shapes = []
    drawn: set[str | None] = set()
    for name, rings in coarse.countries():
        if name != _LEFT_OUT:
            code = code_of(name)
            shapes.append({"code": code, "path": _path(rings, place)})
            drawn.add(code)
    dots = {}
    for name, rings in fine.countries():
        code = None if name == _LEFT_OUT else code_of(name)
        if code is not None and code not in drawn:
            dots[code] = _centre(max(rings, key=_size), place)
    for code, (latitude, longitude) in _PLACES.items():
        if code not in dots and code not in drawn:
            dots[code] = _rounded(place(project(longitude, latitude)))
    return {
        "width": WIDTH,
        "height": round(height),
        "shapes": sorted(shapes, key=lambda shape: shape["code"] or ""),
        "dots": [
            {"code": code, "x": x, "y": y}
            for code, (x, y) in sorted(dots.items())
            if 0 <= y <= height
        ],
    }


def _path(rings: Iterable[Ring], place: Callable[[Point], Point]) -> str:
    """SVG path data, in steps from point to point: about half as long as places."""
    path = ""
    for ring in rings:
        points: list[Point] = []
        for longitude, latitude in ring[:-1]:
            point = _rounded(place(project(longitude, latitude)))
            if not points or points[-1] != point:
                points.append(point)
        if len(points) < 3:
            continue
        path += "M{:g},{:g}l".format(*points[0])
        steps = []
        for (x, y), (next_x, next_y) in pairwise(points):
            steps.append(f"{round(next_x - x, 1):g},{round(next_y - y, 1):g}")
        path += " ".join(steps) + "z"
    return path


def _centre(ring: Ring, place: Callable[[Point], Point]) -> Point:
    longitudes = [point[0] for point in ring]
    latitudes = [point[1] for point in ring]
    middle = (min(longitudes) + max(longitudes)) / 2, (min(latitudes) + max(latitudes)) / 2
    return _rounded(place(project(*middle)))


def _size(ring: Ring) -> float:
    return abs(sum(x * next_y - next_x * y for (x, y), (next_x, next_y) in pairwise(ring)))


def _rounded(point: Point) -> Point:
    return round(point[0], 1), round(point[1], 1)


def main() -> None:
    """Writes the file."""
    folder = Path(sys.argv[1])
    coarse, fine = (
        Atlas(json.loads((folder / name).read_text("utf-8")))
        for name in ("countries-110m.json", "countries-50m.json")
    )
    text = json.dumps(drawing(coarse, fine), separators=(",", ":"))
    WORLD.write_text(
        "// Outlines of countries. Made by world_map.py from world-atlas 2.0.2 (Natural Earth,\n"
        "// public domain); not to be edited.\n"
        f'"use strict";\n(globalThis.weblog ??= {{}}).world = {text};\n',
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
