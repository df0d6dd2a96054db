"""Makes the files of this folder, and what pydicom (with pylibjpeg, pyjpegls) and Pillow (with libjpeg-turbo) read from them.

Reference files: width, height and channels, then the samples, 0 (black) to 65535 (white); all are 16-bit words, little endian.
"""
import io
import struct
import warnings
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array
from pydicom.sequence import Sequence
from pydicom.uid import *

warnings.simplefilter("ignore")
HERE = Path(__file__).parent


def write_reference(name, values):
    values = np.asarray(values, dtype=float)
    height, width = values.shape[:2]
    channels = 1 if values.ndim == 2 else 3
    words = np.rint(values * 65535).astype("<u2")
    head = np.array([width, height, channels], "<u2")
    (HERE / (name + ".ref")).write_bytes(head.tobytes() + words.tobytes())


def grids(w, h):
    """Grey of 12 bits and of 16 with a sign, colours of 8 and 16 bits."""
    y, x = np.mgrid[0:h, 0:w]
    grey = ((x * 300 + y * 37 + (x * y * 11) % 97) % 4096).astype("u2")
    signed = (grey.astype("i4") * 9 - 15000).astype("i2")
    rgb = np.stack([(x * 19) % 256, (y * 25) % 256, ((x + y) * 11) % 256], -1).astype("u1")
    deep = (rgb.astype("u4") * 257 - rgb.astype("u4") % 5).clip(0).astype("u2")
    smooth = np.stack([40 + x * 5, 220 - y * 6, 60 + x * 2 + y * 3], -1).astype("u1")
    return x, y, grey, signed, rgb, deep, smooth


X, Y, GREY, SIGNED, RGB, DEEP, SMOOTH = grids(13, 10)


def base(pixels, photometric, syntax=ExplicitVRLittleEndian, stored=None, frames=None):
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = "2.25.1"
    ds = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = meta.MediaStorageSOPClassUID, "2.25.1"
    shape = pixels.shape[1:] if frames else pixels.shape
    ds.SamplesPerPixel = 3 if len(shape) == 3 else 1
    ds.PhotometricInterpretation = photometric
    if len(shape) == 3:
        ds.PlanarConfiguration = 0
    if frames:
        ds.NumberOfFrames = frames
    ds.Rows, ds.Columns = shape[:2]
    bits = pixels.dtype.itemsize * 8
    ds.BitsAllocated, ds.BitsStored = bits, stored or bits
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    data = pixels.tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    ds["PixelData"].VR = "OW"
    return ds


def save(name, ds, values=None, frame=None):
    """Values of 0 to 1; where there are none, pydicom's after the window."""
    path = HERE / (name + ".dcm")
    if ds.file_meta.TransferSyntaxUID == ExplicitVRBigEndian:
        ds.set_original_encoding(False, False)
        ds.save_as(path, implicit_vr=False, little_endian=False, enforce_file_format=True)
    else:
        ds.save_as(path, enforce_file_format=True)
    if values is None:
        read = dcmread(path)
        stored = pixel_array(read, index=(frame or 1) - 1)
        if "WindowCenter" in read:
            values = linear(stored, float(read.WindowCenter), float(read.WindowWidth))
        else:
            values = stored / (2**read.BitsStored - 1)
    write_reference(f"{name}@{frame}" if frame else name, values)


def linear(values, centre, width):
    return ((values.astype(float) - (centre - 0.5)) / (width - 1) + 0.5).clip(0, 1)


def span(values, outside=None):
    values = values.astype(float)
    inside = values if outside is None else values[~outside]
    out = (values - inside.min()) / (inside.max() - inside.min())
    if outside is not None:
        out[outside] = 0
    return out.clip(0, 1)


def windowed(values, ds):
    """What pydicom's window gives, from 0 to 1."""
    least = -(2 ** (ds.BitsStored - 1)) if ds.PixelRepresentation else 0
    most = least + 2**ds.BitsStored - 1
    if "RescaleSlope" in ds:
        least, most = (v * ds.RescaleSlope + ds.RescaleIntercept for v in (least, most))
    return (apply_voi_lut(values, ds) - least) / (most - least)


def table(entries, first, bits, data, vr="US"):
    item = Dataset()
    item.add_new(0x00283002, vr, [entries % 65536, first, bits])
    item.add_new(0x00283006, "OW", np.asarray(data).astype("<u2").tobytes())
    return item


def windows_and_tables():
    ds = base(SIGNED, "MONOCHROME2")
    ds.RescaleSlope, ds.RescaleIntercept = "0.5", "-100"
    ds.WindowCenter, ds.WindowWidth = "500", "12000"
    save("window_signed", ds, windowed(apply_modality_lut(SIGNED, ds), ds))
    for function in ["LINEAR_EXACT", "SIGMOID"]:
        ds = base(GREY, "MONOCHROME1", stored=12)
        ds.WindowCenter, ds.WindowWidth = ["2000.5", "1"], ["1500", "1"]
        ds.VOILUTFunction = function
        save("window_" + function.lower(), ds, 1 - windowed(GREY, ds))
    ds = base(GREY, "MONOCHROME2", stored=12)
    curve = np.sin(np.linspace(0, 1.5, 3000)) * 1023
    ds.VOILUTSequence = Sequence([table(3000, 500, 10, curve)])
    ds.WindowCenter, ds.WindowWidth = "10", "20"
    save("voi_lut", ds, apply_voi_lut(GREY, ds) / 1023)
    ds = base(SIGNED, "MONOCHROME1", ImplicitVRLittleEndian)
    ds.RescaleSlope, ds.RescaleIntercept = "1", "0"
    ds.VOILUTSequence = Sequence([table(4000, -2000, 16, np.arange(4000) * 16, "SS")])
    save("voi_lut_signed", ds, 1 - apply_voi_lut(SIGNED, ds) / 65535)
    ds = base(GREY, "MONOCHROME2", stored=12)
    item = table(4096, 0, 16, np.arange(4096) ** 2 / 4096)
    item.ModalityLUTType = "US"
    ds.ModalityLUTSequence = Sequence([item])
    ds.WindowCenter, ds.WindowWidth = "1500", "2500"
    save("modality_lut", ds, linear(apply_modality_lut(GREY, ds), 1500, 2500))
    outside = GREY.copy()
    outside[:3], outside[3, :5] = 0, 7
    ds = base(outside, "MONOCHROME2", stored=12)
    ds.add_new(0x00280120, "US", 0)
    ds.add_new(0x00280121, "US", 10)
    save("padding_range", ds, span(outside, outside <= 10))


def functional_groups():
    frames = np.stack([GREY, GREY[::-1], GREY[:, ::-1]])
    ds = base(frames, "MONOCHROME2", stored=12, frames=3)
    item = Dataset()
    item.RescaleIntercept, item.RescaleSlope, item.RescaleType = "-1000", "2", "US"
    shared = Dataset()
    shared.PixelValueTransformationSequence = Sequence([item])
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    ds.PerFrameFunctionalGroupsSequence = Sequence([])
    window = lambda i: (2000 + 500 * i, 3000 + 1000 * i)
    for i in range(3):
        voi, group = Dataset(), Dataset()
        voi.WindowCenter, voi.WindowWidth = (str(v) for v in window(i))
        group.FrameVOILUTSequence = Sequence([voi])
        ds.PerFrameFunctionalGroupsSequence.append(group)
    for i in range(3):
        save("groups", ds, linear(frames[i].astype(float) * 2 - 1000, *window(i)), i + 1)


def layouts():
    ds = base(GREY, "MONOCHROME2", ExplicitVRBigEndian, stored=12)
    ds.PixelData = GREY.astype(">u2").tobytes()
    ds.WindowCenter, ds.WindowWidth = "2000", "3000"
    save("big_endian", ds, linear(GREY, 2000, 3000))
    even = RGB[:, :12, 0].copy()
    ds = base(even, "MONOCHROME2", ExplicitVRBigEndian)
    ds.PixelData = even.reshape(-1, 2)[:, ::-1].tobytes()
    save("big_endian_bytes", ds, even / 255)
    save("deflated", base(GREY, "MONOCHROME2", DeflatedExplicitVRLittleEndian, 12), span(GREY))
    places = (GREY % 256).astype("u1")
    t = np.linspace(0, 1, 256)
    for bits in (8, 16):
        ds = base(places, "PALETTE COLOR")
        for colour, v in zip(("Red", "Green", "Blue"), (t**2, 1 - t, np.abs(2 * t - 1))):
            setattr(ds, colour + "PaletteColorLookupTableDescriptor", [256, 0, bits])
            words = (v * (2**bits - 1)).astype("<u2").tobytes()
            setattr(ds, colour + "PaletteColorLookupTableData", words)
        save(f"palette{bits}", ds, apply_color_lut(places, ds) / (2**bits - 1))
    save("rgb16", base(DEEP, "RGB"), DEEP / 65535)
    ds = base(DEEP, "RGB")
    ds.PlanarConfiguration = 1
    ds.PixelData = DEEP.transpose(2, 0, 1).tobytes()
    save("rgb16_planar", ds, DEEP / 65535)
    even = SMOOTH[:, :12].copy()
    ybr = np.array(Image.fromarray(even).convert("YCbCr"))
    ds = base(even, "YBR_FULL_422")
    pairs = [ybr[:, 0::2, 0], ybr[:, 1::2, 0], ybr[:, 0::2, 1], ybr[:, 0::2, 2]]
    ds.PixelData = np.stack(pairs, -1).tobytes()
    save("ybr422", ds)


def compressed(name, pixels, photometric, stored, syntax, frame=None, window=False, **options):
    ds = base(pixels, photometric, stored=stored, frames=len(pixels) if frame else None)
    ds.compress(syntax, **options)
    if window:
        ds.WindowCenter, ds.WindowWidth = str(2 ** (stored - 1)), str(2**stored)
        return save(name, ds, None, frame)
    shown = pixels[frame - 1] if frame else pixels
    grey = photometric == "MONOCHROME2" and stored > 8
    save(name, ds, span(shown) if grey else shown / (2**stored - 1), frame)


def compressions():
    compressed("rle_rgb16", DEEP, "RGB", 16, RLELossless)
    compressed("rle_grey", GREY, "MONOCHROME2", 12, RLELossless)
    compressed("rle_frames", np.stack([RGB, RGB[::-1]]), "RGB", 8, RLELossless, 2)
    _, _, grey, signed, rgb, deep, smooth = grids(37, 33)
    compressed("j2k_8", rgb[..., 0].copy(), "MONOCHROME2", 8, JPEG2000Lossless)
    compressed("j2k_12", grey, "MONOCHROME2", 12, JPEG2000Lossless)
    compressed("j2k_signed", signed, "MONOCHROME2", 16, JPEG2000Lossless)
    compressed("j2k_rgb", rgb, "RGB", 8, JPEG2000Lossless)
    compressed("j2k_rgb16", deep, "RGB", 16, JPEG2000Lossless)
    compressed("j2k_lossy", grey, "MONOCHROME2", 12, JPEG2000, window=True, j2k_cr=[3])
    frames = np.stack([grey, grey[::-1]])
    compressed("j2k_frames", frames, "MONOCHROME2", 12, JPEG2000Lossless, 2)
    unsigned = (SIGNED.astype("i4") + 15000).astype("u2")
    flat = np.where(X < 7, 1000, GREY).astype("u2")
    for near in (0, 3):
        name = "jls_near" if near else "jls"
        syntax = JPEGLSNearLossless if near else JPEGLSLossless
        lossy = {"jls_error": near} if near else {}
        for suffix, pixels, photometric, stored in [
            ("8", RGB[..., 0].copy(), "MONOCHROME2", 8),
            ("12", GREY, "MONOCHROME2", 12),
            ("16", unsigned, "MONOCHROME2", 16),
            ("flat", flat, "MONOCHROME2", 12),
            ("rgb", RGB, "RGB", 8),
            ("smooth", SMOOTH, "RGB", 8),
        ]:
            ds = base(pixels, photometric, stored=stored)
            ds.compress(syntax, **lossy)
            if stored > 8:
                ds.WindowCenter, ds.WindowWidth = str(2 ** (stored - 1)), str(2**stored)
            save(f"{name}_{suffix}", ds)


def jpegs_in_dicom():
    def stream(pixels, **options):
        out = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(pixels)).save(out, "JPEG", quality=92, **options)
        return out

    def wrapped(streams, photometric, frames=None):
        pixels = np.stack([SMOOTH] * frames) if frames else SMOOTH
        ds = base(pixels, photometric, JPEGBaseline8Bit, frames=frames)
        ds.PixelData = encapsulate([s.getvalue() for s in streams])
        ds["PixelData"].VR = "OB"
        return ds

    rgb = lambda s: np.array(Image.open(s).convert("RGB")) / 255
    for sampling, name in enumerate(["444", "422", "420"]):
        streams = [stream(p, subsampling=sampling) for p in (SMOOTH, SMOOTH[::-1])]
        save("jpeg_" + name, wrapped(streams, "YBR_FULL_422", 2), rgb(streams[1]), 2)
    one = stream(SMOOTH, keep_rgb=True)
    save("jpeg_rgb", wrapped([one], "RGB"), rgb(one))
    pixels = ((np.sin(X / 3) + np.cos(Y / 4)) * 900 + 2000).astype("u2")
    ds = base(pixels, "MONOCHROME2", JPEGExtended12Bit, stored=12)
    ds.PixelData = encapsulate([jpeg_of_12_bits(pixels)])
    ds["PixelData"].VR = "OB"
    ds.WindowCenter, ds.WindowWidth = "2048", "4096"
    save("jpeg_12", ds)


def jpeg_of_12_bits(pixels):
    """An extended sequential stream, every symbol a code of 8 bits; the upper coefficients are left out."""
    bits = []

    def put(value, count):
        bits.extend(value >> i & 1 for i in reversed(range(count)))

    def put_signed(value):
        size = abs(value).bit_length()
        put(value if value > 0 else value + (1 << size) - 1, size)

    step, height, width = 8, *pixels.shape
    n = np.arange(8)
    cosines = 0.5 * np.cos(np.outer(n, 2 * n + 1) * np.pi / 16)
    cosines[0] /= np.sqrt(2)
    diagonal = lambda i: (i // 8 + i % 8, i // 8 if (i // 8 + i % 8) % 2 else i % 8)
    order = sorted(range(64), key=diagonal)
    padded = np.pad(pixels.astype(float), ((0, -height % 8), (0, -width % 8)), "edge") - 2048
    before = 0
    for top in range(0, padded.shape[0], 8):
        for left in range(0, padded.shape[1], 8):
            block = cosines @ padded[top : top + 8, left : left + 8] @ cosines.T
            z = [int(v) for v in np.rint(block.reshape(-1)[order] / step)][:30]
            put(abs(z[0] - before).bit_length(), 4)
            put_signed(z[0] - before)
            before, run = z[0], 0
            for value in z[1 : max([k for k in range(30) if z[k]], default=0) + 1]:
                if value == 0:
                    run += 1
                    continue
                for _ in range(run // 16):
                    put(0xF0, 8)
                put(run % 16 << 4 | abs(value).bit_length(), 8)
                put_signed(value)
                run = 0
            put(0, 8)
    bits += [1] * (-len(bits) % 8)
    data = np.packbits(bits).tobytes().replace(b"\xff", b"\xff\0")
    segment = lambda code, body: struct.pack(">BBH", 0xFF, code, len(body) + 2) + body
    return (
        b"\xff\xd8"
        + segment(0xDB, b"\0" + bytes([step] * 64))
        + segment(0xC1, struct.pack(">BHHB", 12, height, width, 1) + b"\1\x11\0")
        + segment(0xC4, b"\0" + bytes([0, 0, 0, 15] + [0] * 12) + bytes(range(15)))
        + segment(0xC4, b"\x10" + bytes([0] * 7 + [255] + [0] * 8) + bytes(range(255)))
        + segment(0xDA, b"\1\1\0\0\x3f\0")
        + data
        + b"\xff\xd9"
    )


def jpegs():
    rng = np.random.default_rng(1)

    def picture(w, h):
        y, x = np.mgrid[0:h, 0:w]
        waves = [np.sin(x / 7 + y / 11), np.cos(x / 5 - y / 9), np.sin(x * y / 97)]
        out = 128 + 90 * np.stack(waves, -1) + rng.normal(0, 25, (h, w, 3))
        out[h // 3 : h // 2, w // 3 : w // 2] = [255, 0, 0]
        return Image.fromarray(np.clip(out, 0, 255).astype("u1"))

    def write(name, data):
        (HERE / (name + ".jpg")).write_bytes(data)
        write_reference(name, np.array(Image.open(io.BytesIO(data)).convert("RGB")) / 255)

    def saved(image, **options):
        out = io.BytesIO()
        image.save(out, "JPEG", **{"quality": 80, **options})
        return out.getvalue()

    for sampling in ["4:4:4", "4:2:2", "4:2:0", "4:1:1"]:
        short = sampling.replace(":", "")
        write(f"{short}", saved(picture(33, 19), subsampling=sampling))
        write(f"{short}_restarts", saved(picture(17, 31), subsampling=sampling, restart_marker_blocks=3))
        write(f"{short}_progressive", saved(picture(21, 18), subsampling=sampling, progressive=True))
        write(f"{short}_narrow", saved(picture(3, 9), subsampling=sampling))
    # Colour differences shared by two pixels of a column: the same units as of a row, read the other way.
    for w, h in [(17, 33), (5, 2), (24, 48)]:
        across = saved(picture(h, w), subsampling="4:2:2")
        at = across.index(b"\xff\xc0")
        frame = bytearray(across[at : at + 19])
        frame[5:9] = struct.pack(">HH", h, w)
        frame[11] = 0x12
        write(f"440_{w}x{h}", across[:at] + bytes(frame) + across[at + 19 :])
    write("grey", saved(picture(19, 13).convert("L")))
    write("grey_progressive", saved(picture(19, 13).convert("L"), progressive=True, restart_marker_blocks=2))
    write("rgb", saved(picture(19, 13), keep_rgb=True))
    # Bytes after the end that look like the beginning of another scan.
    write("trailing", saved(picture(9, 9)) + b"....ftypmp4\xff\xda" + bytes(32))


windows_and_tables()
functional_groups()
layouts()
compressions()
jpegs_in_dicom()
jpegs()
