"""Defects of single cases; all of them can be in one data set."""

import os
import struct
import zlib

import numpy as np
import tifffile
from PIL import Image

from ..data.conftest import chunk
from .corpus import SHAPE, Defect, Folder, catalogue, disc

DEFECTS: list[Defect] = []
defect = catalogue(DEFECTS)


@defect(missing_mask="images/no_mask.png")
def image_without_mask(folder: Folder) -> None:
    folder.image("no_mask.png")


@defect(missing_image="masks/no_image.png")
def mask_without_image(folder: Folder) -> None:
    folder.mask("no_image.png")


@defect(missing_mask="images/Lung.png", missing_image="masks/lung.png")
def partner_of_other_case(folder: Folder) -> None:
    folder.image("Lung.png")
    folder.mask("lung.png")


@defect(missing_mask="images/liver.png", missing_image="masks/liver_mask.png")
def partner_with_an_ending(folder: Folder) -> None:
    folder.image("liver.png")
    folder.mask("liver_mask.png")


@defect(unreadable="images/empty.png")
def empty_file(folder: Folder) -> None:
    folder.case("empty")
    (folder.path / "images/empty.png").write_bytes(b"")


@defect(unreadable=("images/cut_png.png", "images/cut_jpeg.jpg", "images/cut_tiff.tif", "masks/cut_mask.png"))
def truncated_files(folder: Folder) -> None:
    for name in ("cut_png.png", "cut_jpeg.jpg", "cut_tiff.tif", "cut_mask.png"):
        folder.mask(f"{name.split('.')[0]}.png")
        folder.image(name)
    for name in ("images/cut_png.png", "images/cut_jpeg.jpg", "images/cut_tiff.tif", "masks/cut_mask.png"):
        path = folder.path / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@defect(unreadable=("images/prose.png", "images/webp.png"))
def no_images(folder: Folder) -> None:
    folder.case("prose")
    (folder.path / "images/prose.png").write_text("This is no image.")
    folder.case("webp")
    folder.image("webp.png", format="WEBP")


@defect(not_a_file=("images/broken.png", "images/loop.png", "masks/folder.png", "images/pipe.png"))
def impostors(folder: Folder) -> None:
    for name in ("broken", "loop", "pipe"):
        folder.mask(f"{name}.png")
    (folder.path / "images/broken.png").symlink_to("nowhere.png")
    (folder.path / "images/loop.png").symlink_to("loop.png")
    os.mkfifo(folder.path / "images/pipe.png")
    folder.image("folder.png")
    (folder.path / "masks/folder.png").mkdir()


@defect(
    unreadable=("images/animated.png", "images/pages.tif", "images/nan.tif"),
    number_range="images/float.tif",
    mixed_bits="images/float.tif",
)
def pictures_of_other_kinds(folder: Folder) -> None:
    for name in ("animated", "pages", "nan", "float"):
        folder.mask(f"{name}.png")
    second = Image.fromarray(folder.noise())
    folder.image("animated.png", save_all=True, append_images=[second])
    folder.image("pages.tif", save_all=True, append_images=[second])
    tifffile.imwrite(folder.path / "images/nan.tif", np.full(SHAPE, np.nan, np.float32))
    tifffile.imwrite(
        folder.path / "images/float.tif",
        np.random.default_rng(5).normal(size=(*SHAPE, 3)).astype(np.float32),
        photometric="rgb",
    )


@defect(unreadable="images/bomb.png")
def decompression_bomb(folder: Folder) -> None:
    folder.mask("bomb.png")
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    (folder.path / "images/bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + pixels)


@defect(skipped=("images/a.heic", "images/b.WEBP", "images/c.czi", "masks/d.nii.gz", "masks/e.npy", "masks/f"))
def other_suffixes(folder: Folder) -> None:
    for name in ("images/a.heic", "images/b.WEBP", "images/c.czi", "masks/d.nii.gz", "masks/e.npy", "masks/f"):
        (folder.path / name).write_bytes(b"x")
    for name in (".hidden.png", "._a.gif", "Thumbs.db", ".DS_Store", "desktop.ini"):  # these are no findings
        (folder.path / "images" / name).write_bytes(b"x")


@defect(skipped="images/patient 7")
def folder_inside(folder: Folder) -> None:
    (folder.path / "images/patient 7").mkdir()
    folder.image("patient 7/a.png")


@defect(wrong_suffix=("images/jpeg.png", "masks/jpeg.tif"))
def wrong_suffixes(folder: Folder) -> None:
    folder.image("jpeg.png", format="JPEG")
    folder.mask("jpeg.tif", format="PNG")


@defect(size_mismatch=tuple(f"{s}/{n}.png" for n in ("turned", "scaled", "cropped") for s in ("images", "masks")))
def other_sizes(folder: Folder) -> None:
    folder.case("turned", mask=disc(SHAPE[::-1]))
    folder.case("scaled", mask=disc((SHAPE[0] // 2, SHAPE[1] // 2), 6))
    folder.case("cropped", mask=disc((SHAPE[0], SHAPE[1] - 5)))


@defect(
    orientation=("images/tagged.jpg", "masks/tagged_mask.png", "images/half_turned.jpg"),
    size_mismatch=("images/half_turned.jpg", "masks/half_turned.png"),
)
def orientation_tags(folder: Folder) -> None:
    def tag(orientation: int) -> Image.Exif:
        exif = Image.Exif()
        exif[0x0112] = orientation
        return exif

    folder.image("tagged.jpg", exif=tag(3))
    folder.mask("tagged.png")
    folder.image("tagged_mask.png")
    folder.mask("tagged_mask.png", exif=tag(2))
    folder.image("half_turned.jpg", exif=tag(6))
    folder.mask("half_turned.png")


@defect(transparent_image="images/glass.png", mask_transparent="masks/glass_mask.png")
def transparent_pixels(folder: Folder) -> None:
    glass = folder.noise(*SHAPE, 4)
    glass[:5, :, 3], glass[5:, :, 3] = 0, 255
    folder.case("glass", image=glass)
    folder.case("glass_mask", mask=np.dstack([disc() * 255, disc() * 255]))


@defect(mask_gray=("masks/smooth.png", "masks/halo.jpg"), mask_values="masks/residue.png")
def gray_masks(folder: Folder) -> None:
    small = Image.fromarray(disc((24, 32), 6) * 255).resize(SHAPE[::-1], Image.Resampling.BICUBIC)
    folder.case("smooth", mask=np.asarray(small))
    folder.image("halo.png")
    folder.mask("halo.jpg", quality=95)
    residue = disc() * 255
    residue[0, :] = 112
    folder.case("residue", mask=residue)


@defect(mask_colors="masks/colors.png", mask_inverted="masks/white.tif")
def masks_that_are_no_labels(folder: Folder) -> None:
    folder.case("colors", mask=np.dstack([disc() * 255, disc() * 0, disc() * 9]))
    folder.image("white.png")
    tifffile.imwrite(folder.path / "masks/white.tif", disc() * 255, photometric="miniswhite")


@defect(palette_unclear="masks/swapped.png", palettes_differ=("masks/in_red.png", "masks/in_green.png"))
def palettes_in_several_orders(folder: Folder) -> None:
    red, green = (200, 0, 0), (0, 200, 0)
    for name, colors in (
        ("swapped", (green, (0, 0, 0))),
        ("in_red", ((0, 0, 0), red)),
        ("in_green", ((0, 0, 0), green)),
    ):
        folder.image(f"{name}.png")
        picture = Image.fromarray(disc())
        picture.putpalette([value for color in colors for value in color])
        picture.save(folder.path / "masks" / f"{name}.png")


@defect(mask_numbers="masks/half.tif")
def mask_of_fractions(folder: Folder) -> None:
    folder.image("half.png")
    tifffile.imwrite(folder.path / "masks/half.tif", np.resize(np.array((0, 0.5), np.float32), SHAPE))


@defect(mask_values=("masks/three.png", "masks/gray_128.png"))
def values_of_other_classes(folder: Folder) -> None:
    three = disc()
    three[20:28, 30:34] = 2
    folder.case("three", mask=three)
    folder.case("gray_128", mask=disc() * 128)


@defect(empty_mask="masks/nothing.png", full_mask="masks/everything.png", tiny_components="masks/speck.png")
def odd_amounts(folder: Folder) -> None:
    folder.case("nothing", mask=disc() * 0)
    folder.case("everything", mask=disc() * 0 + 255)
    speck = disc() * 255
    speck[3, 3:5] = 255
    speck[0, 60] = 255  # cut by the edge: it may be the tip of something
    speck[24, 46] = 255  # beside the disc: an outline leaves such pixels
    folder.case("speck", mask=speck)


@defect(mask_is_image=("masks/copied.png", "masks/copied_color.png"), mixed_channels="images/copied.png")
def mask_is_the_image(folder: Folder) -> None:
    gray, color = folder.noise(*SHAPE), folder.noise()
    folder.case("copied", image=gray, mask=gray)
    folder.case("copied_color", image=color, mask=color)


@defect(one_color=("images/black.png", "images/red.png"))
def images_of_one_color(folder: Folder) -> None:
    folder.case("black", image=np.zeros((*SHAPE, 3), np.uint8), mask=disc())
    folder.case("red", image=np.full((*SHAPE, 3), (200, 10, 10), np.uint8))


@defect(
    small_range="images/deep_dark.png",
    mixed_bits=("images/deep_dark.png", "images/deep.tif"),
    mixed_channels=("images/deep_dark.png", "images/gray.png"),
)
def other_depths(folder: Folder) -> None:
    folder.case("deep_dark", image=folder.noise(*SHAPE, high=4095, dtype=np.uint16))
    tifffile.imwrite(folder.path / "images/deep.tif", folder.noise(*SHAPE, 3, high=65535, dtype=np.uint16))
    folder.mask("deep.png")
    folder.case("gray", image=folder.noise(*SHAPE))


@defect(
    duplicate=("images/twice1.png", "images/twice2.png", "images/saved_again1.png", "images/saved_again2.bmp"),
    contradicting_masks=("images/disputed1.png", "images/disputed2.png"),
    near_duplicate=("images/nearly1.png", "images/nearly2.png"),
)
def duplicates(folder: Folder) -> None:
    twice, again, disputed, nearly = (folder.noise() for _ in range(4))
    folder.case("twice1", twice)
    folder.case("twice2", twice)
    folder.case("saved_again1", again)
    folder.image("saved_again2.bmp", again)
    folder.mask("saved_again2.png")
    folder.case("disputed1", disputed)
    folder.case("disputed2", disputed, disc(radius=9))
    folder.case("nearly1", nearly)
    nearly[:1, :1] ^= 64
    folder.case("nearly2", nearly)


@defect(same_name=("images/both.bmp", "images/both.png"))
def two_files_of_one_name(folder: Folder) -> None:
    folder.case("both")
    folder.image("both.bmp")


@defect(
    name_clash=tuple(f"{s}/{n}.png" for n in ("Cell", "cell", "caf\u00e9", "cafe\u0301") for s in ("images", "masks"))
)
def names_that_clash(folder: Folder) -> None:
    for name in ("Cell", "cell", "caf\u00e9", "cafe\u0301"):
        folder.case(name)


@defect(
    unportable_name=tuple(f"{s}/{n}.png" for n in ("9:30", "end ", "dot.", "con", "a\tb") for s in ("images", "masks"))
)
def names_that_do_not_travel(folder: Folder) -> None:
    for name in ("9:30", "end ", "dot.", "con", "a\tb"):
        folder.case(name)
