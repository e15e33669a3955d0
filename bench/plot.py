# SPDX-License-Identifier: BSD-2-Clause
"""Lines over a logarithmic axis, as SVG: all that the plots here need."""
import colorsys
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 70, 190, 50, 60
COLOURS = ("#0b5fa5", "#c1440e", "#2a7d2e", "#7a3e9d", "#b8860b", "#4d4d4d",
           "#008b8b", "#a0355f", "#6b8e23")


def colour_of(number):
    """The first ones are chosen; those after them go round, each once."""
    if number < len(COLOURS):
        return COLOURS[number]
    # The golden angle comes near no earlier one for long; darker each time.
    more = number - len(COLOURS)
    rgb = colorsys.hls_to_rgb(0.13 + more * 0.618034 % 1,
                              0.55 - 0.15 * (more % 3), 0.75)
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)


def short(value):
    """1e6 as 1M, 0.001 as 0.001."""
    for unit, name in (1e9, "G"), (1e6, "M"), (1e3, "k"):
        if value >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:g}"


class Axis:
    """Values to places between two ends, on decades."""

    def __init__(self, values, start, end):
        self.low = math.floor(math.log10(min(values)) + 1e-9)
        self.high = max(math.ceil(math.log10(max(values)) - 1e-9),
                        self.low + 1)
        self.start, self.end = start, end

    def place(self, value):
        part = (math.log10(value) - self.low) / (self.high - self.low)
        return self.start + part * (self.end - self.start)

    def decades(self):
        return [10.0 ** power for power in range(self.low, self.high + 1)]


def text(x, y, what, anchor="middle", more=""):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>'
            f"{escape(what)}</text>")


def line(x1, y1, x2, y2, colour):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" '
            f'y2="{y2:.1f}" stroke="{colour}"/>')


def grid(across, up, x_name, y_name):
    for value in across.decades():
        x = across.place(value)
        yield line(x, TOP, x, HEIGHT - BOTTOM, "#ddd")
        yield text(x, HEIGHT - BOTTOM + 18, short(value))
    for value in up.decades():
        y = up.place(value)
        yield line(LEFT, y, WIDTH - RIGHT, y, "#ddd")
        yield text(LEFT - 8, y + 4, short(value), "end")
    middle = (TOP + HEIGHT - BOTTOM) / 2
    yield text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 18, x_name)
    yield text(18, middle, y_name,
               more=f' transform="rotate(-90 18 {middle:.1f})"')


def curve(across, up, points, colour, is_limit):
    at = " ".join(f"{across.place(x):.1f},{up.place(y):.1f}"
                  for x, y in points)
    dashes = ' stroke-dasharray="5 4"' if is_limit else ""
    yield (f'<polyline points="{at}" fill="none" stroke="{colour}" '
           f'stroke-width="1.8"{dashes}/>')
    if len(points) < 20:
        for x, y in points:
            yield (f'<circle cx="{across.place(x):.1f}" '
                   f'cy="{up.place(y):.1f}" r="2.6" fill="{colour}"/>')


def chart(title, x_name, y_name, curves, limits=()):
    """An SVG of {name: [(x, y), ...]}, all above 0; `limits` are dashed."""
    every = [point for points in curves.values() for point in points]
    across = Axis([x for x, _ in every], LEFT, WIDTH - RIGHT)
    up = Axis([y for _, y in every], HEIGHT - BOTTOM, TOP)
    # Room for the last name.
    height = max(HEIGHT, TOP + 18 * len(curves))
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
             f'height="{height}" font-family="sans-serif" font-size="12">',
             f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
             text(LEFT, TOP - 22, title, "start", ' font-size="15"')]
    parts += grid(across, up, x_name, y_name)
    for number, (name, points) in enumerate(curves.items()):
        colour = colour_of(number)
        parts += curve(across, up, sorted(points), colour, name in limits)
        y = TOP + 18 * number
        parts.append(line(WIDTH - RIGHT + 14, y, WIDTH - RIGHT + 36, y,
                          colour))
        parts.append(text(WIDTH - RIGHT + 42, y + 4, name, "start"))
    return "\n".join(parts + ["</svg>", ""])
