"""Draws the wallpaper: a sky after sunset over five rows of hills. Nothing but the standard library; the same bytes every time."""
import math
import struct
import sys
import zlib

WIDTH, HEIGHT = 1920, 1080

# (height, colour) from the top down.
SKY = [(0.00, (13, 17, 48)), (0.22, (30, 34, 92)), (0.42, (78, 58, 148)), (0.58, (168, 86, 164)), (0.70, (246, 138, 140)), (0.78, (255, 186, 140)), (1.0, (255, 206, 150))]

# (base, amplitude, waves, phase, colour at the ridge, colour at the foot) from far to near.
HILLS = [
    (0.700, 0.030, 2.3, 0.4, (150, 92, 160), (196, 118, 158)),
    (0.755, 0.040, 1.7, 2.1, (108, 72, 146), (158, 98, 154)),
    (0.815, 0.045, 2.6, 4.0, (72, 56, 124), (112, 76, 140)),
    (0.880, 0.042, 1.4, 1.2, (44, 42, 98), (70, 56, 116)),
    (0.950, 0.038, 2.0, 5.3, (23, 27, 66), (30, 34, 78)),
]
BAYER = [[0, 32, 8, 40, 2, 34, 10, 42], [48, 16, 56, 24, 50, 18, 58, 26], [12, 44, 4, 36, 14, 46, 6, 38], [60, 28, 52, 20, 62, 30, 54, 22],
         [3, 35, 11, 43, 1, 33, 9, 41], [51, 19, 59, 27, 49, 17, 57, 25], [15, 47, 7, 39, 13, 45, 5, 37], [63, 31, 55, 23, 61, 29, 53, 21]]


def mix(a, b, t):
    return tuple(x + (y - x) * t for x, y in zip(a, b))


def sky(t):
    for (low, a), (high, b) in zip(SKY, SKY[1:]):
        if t <= high:
            s = (t - low) / (high - low)
            return mix(a, b, s * s * (3 - 2 * s))
    return SKY[-1][1]


def ridge(base, amplitude, waves, phase):
    line = []
    for x in range(WIDTH):
        u = x / WIDTH * math.tau
        wave = math.sin(u * waves + phase) * 0.6 + math.sin(u * waves * 2.17 + phase * 1.7) * 0.28 + math.sin(u * waves * 4.9 + phase * 2.9) * 0.09
        line.append((base - amplitude * wave) * HEIGHT)
    return line


def stars():
    seed, found = 20260101, {}
    for _ in range(170):
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        x = seed % WIDTH
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        y = int((seed / 0x7FFFFFFF) ** 1.6 * HEIGHT * 0.45)
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        found[(x, y)] = 40 + seed % 150
    return found


def main(path):
    hills = [(ridge(*hill[:4]), hill[4], hill[5]) for hill in HILLS]
    tops = [int(min(line)) for line, _, _ in hills]
    points = stars()
    # A sun that has just gone: light around it, cheaper by columns and rows apart.
    glow = [math.exp(-(((x / WIDTH) - 0.68) / 0.24) ** 2) for x in range(WIDTH)]
    rows = bytearray()
    for y in range(HEIGHT):
        t = y / HEIGHT
        r, g, b = sky(t)
        lift = math.exp(-((t - 0.70) / 0.17) ** 2)
        near = [(line, mix(high, low, min(1, max(0, (t - base[0] + base[1]) / 0.16)))) for (line, high, low), base, top in zip(hills, HILLS, tops) if top <= y + 1]
        dither = [v / 64 for v in BAYER[y % 8]]
        row = bytearray(WIDTH * 3)
        at = 0
        for x in range(WIDTH):
            light = lift * glow[x]
            pr, pg, pb = r + light * 34, g + light * 44, b + light * 8
            for line, colour in near:
                cover = y + 1 - line[x]
                if cover >= 1:
                    pr, pg, pb = colour
                    pr += light * 22
                    pg += light * 12
                elif cover > 0:
                    pr += (colour[0] - pr) * cover
                    pg += (colour[1] - pg) * cover
                    pb += (colour[2] - pb) * cover
            if (x, y) in points:
                shine = points[(x, y)] / 255
                pr, pg, pb = pr + (255 - pr) * shine, pg + (255 - pg) * shine, pb + (255 - pb) * shine
            d = dither[x % 8]
            row[at] = min(255, int(pr + d))
            row[at + 1] = min(255, int(pg + d))
            row[at + 2] = min(255, int(pb + d))
            at += 3
        rows += b"\0" + row

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(bytes(rows), 9)) + chunk(b"IEND", b""))


main(sys.argv[1])
