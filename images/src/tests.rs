//! Pictures made in memory, decoded, and compared sample by sample.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "test values are small"
)]

use std::io::Cursor;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{DynamicImage, GrayImage, ImageBuffer, ImageFormat, Luma, Rgb};
use nets::Samples;

use crate::{DecodeError, Error, Image, MAX_FILE_BYTES, Skipped, check_all, find};

/// The picture alone.
fn decode(bytes: &[u8]) -> Result<nets::Picture, DecodeError> {
    crate::decode(bytes).map(|decoded| decoded.picture)
}

fn grey(width: usize, height: usize, samples: Vec<u8>) -> nets::Picture {
    nets::Picture::new(width, height, 1, Samples::Eight(samples)).unwrap()
}

fn encode(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    image.write_to(&mut file, format).unwrap();
    file.into_inner()
}

/// A JPEG file with an EXIF segment that holds nothing but the orientation.
fn turned(jpeg: &[u8], orientation: u16) -> Vec<u8> {
    let mut exif =
        b"\xFF\xE1\0\x22Exif\0\0MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01".to_vec();
    exif.extend(orientation.to_be_bytes());
    exif.extend([0; 6]);
    [&jpeg[..2], &exif, &jpeg[2..]].concat()
}

#[test]
fn exif_orientation() {
    const W: usize = 24;
    const H: usize = 16;
    let level = |x: usize, y: usize| (x / 8 * 60 + y / 8 * 30 + 10) as u8;
    let image = GrayImage::from_fn(24, 16, |x, y| Luma([level(x as usize, y as usize)]));
    let jpeg = encode(&image.into(), ImageFormat::Jpeg);
    for orientation in 0..=9 {
        // Where the pixel shown at (x, y) lies in the file (Exif 2.32, 4.6.5.B).
        let from = |(x, y): (usize, usize)| match orientation {
            2 => (W - 1 - x, y),
            3 => (W - 1 - x, H - 1 - y),
            4 => (x, H - 1 - y),
            5 => (y, x),
            6 => (y, H - 1 - x),
            7 => (W - 1 - y, H - 1 - x),
            8 => (W - 1 - y, x),
            _ => (x, y),
        };
        let lying = (5..=8).contains(&orientation);
        let (width, height) = if lying { (H, W) } else { (W, H) };
        let expected = (0..width * height)
            .map(|i| from((i % width, i / width)))
            .map(|(x, y)| level(x, y));
        // Blocks of one level go through a JPEG encoder unchanged.
        let expected = grey(width, height, expected.collect());
        let found = decode(&turned(&jpeg, orientation)).unwrap();
        assert!(found == expected, "orientation {orientation}");
    }
    // Damaged EXIF data turn nothing.
    let mut damaged = turned(&jpeg, 6);
    damaged[12] = b'X';
    assert!(decode(&damaged).unwrap() == decode(&jpeg).unwrap());
}

#[test]
fn png_of_every_kind() {
    let deep: Vec<u16> = (0..12).map(|i| i * 5_461 + 3).collect();
    let image: ImageBuffer<Luma<u16>, _> = ImageBuffer::from_raw(4, 3, deep.clone()).unwrap();
    let found = decode(&encode(&image.into(), ImageFormat::Png)).unwrap();
    assert!(found == nets::Picture::new(4, 3, 1, Samples::Sixteen(deep.clone())).unwrap());
    let image: ImageBuffer<Rgb<u16>, _> = ImageBuffer::from_raw(2, 2, deep.clone()).unwrap();
    let found = decode(&encode(&image.into(), ImageFormat::Png)).unwrap();
    assert!(found == nets::Picture::new(2, 2, 3, Samples::Sixteen(deep)).unwrap());
    let eight: Vec<u8> = (0..12).map(|i| i * 21).collect();
    let image = GrayImage::from_raw(3, 4, eight.clone()).unwrap();
    let with_alpha = DynamicImage::from(image.clone()).into_luma_alpha8();
    for image in [image.into(), DynamicImage::from(with_alpha)] {
        let found = decode(&encode(&image, ImageFormat::Png)).unwrap();
        assert!(found == grey(3, 4, eight.clone()));
    }
    let image = image::RgbImage::from_raw(2, 2, eight.clone()).unwrap();
    let found = decode(&encode(&image.into(), ImageFormat::Png)).unwrap();
    assert!(found == nets::Picture::new(2, 2, 3, Samples::Eight(eight)).unwrap());
}

/// A chunk of a PNG file.
fn chunk(name: [u8; 4], data: &[u8]) -> Vec<u8> {
    let checked = [&name[..], data].concat();
    // CRC-32 of ISO 3309, bit by bit.
    let crc = !checked.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            crc >> 1 ^ (0xEDB8_8320 * (crc & 1))
        })
    });
    let length = (data.len() as u32).to_be_bytes();
    [&length[..], &checked, &crc.to_be_bytes()].concat()
}

/// The signature and the header of a PNG file.
fn png_header(width: u32, height: u32, depth: u8, colour: u8) -> Vec<u8> {
    let sides = [width.to_be_bytes(), height.to_be_bytes()].concat();
    let header = chunk(*b"IHDR", &[&sides[..], &[depth, colour, 0, 0, 0]].concat());
    [&b"\x89PNG\r\n\x1a\n"[..], &header].concat()
}

/// As much picture as DEFLATE can make of so few bytes is still read.
#[test]
fn the_best_compressed_png() {
    let black = GrayImage::new(4_000, 4_000);
    let mut file = Vec::new();
    let best = PngEncoder::new_with_quality(&mut file, CompressionType::Best, FilterType::NoFilter);
    black.write_with_encoder(best).unwrap();
    assert!(file.len() < 4_000 * 4_000 / 900, "{} bytes", file.len());
    assert!(decode(&file).unwrap() == grey(4_000, 4_000, black.into_raw()));
}

#[test]
fn no_picture() {
    let jpeg = encode(&GrayImage::new(40, 40).into(), ImageFormat::Jpeg);
    let png = encode(&GrayImage::new(40, 40).into(), ImageFormat::Png);
    // A PNG header that promises 2^14 pixels a side, each of 8 bytes.
    let mut enormous = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x40\0\0\0\x40\0\x10\x06\0\0\0".to_vec();
    enormous.extend([0; 64]);
    // Few enough pixels, 16,000 x 6,000 of 6 bytes, and no data to fill them: the header and an empty chunk are whole.
    let mut hollow = png_header(16_000, 6_000, 16, 2);
    hollow.extend(chunk(*b"IDAT", &[]));
    hollow.extend(chunk(*b"IEND", &[]));
    for (bytes, cause) in [
        (&b""[..], "empty"),
        (b"no image", "neither PNG nor JPEG nor DICOM"),
        (b"GIF89a\x01\0\x01\0\0\0\0;", "neither PNG nor JPEG"),
        (&jpeg[..jpeg.len() - 2], "cut off"),
        (&jpeg[..3], "cut off"),
        (&png[..png.len() - 20], ""),
        (&enormous, ""),
        (&hollow, "the PNG data is cut off"),
    ] {
        let said = decode(bytes).expect_err("no picture").to_string();
        assert!(said.contains(cause), "expected `{cause}` in: {said}");
    }
}

/// A folder with two good images, one in a subfolder, a text, something hidden, and links back up.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let sub = folder.path().join("sub");
    std::fs::create_dir(&sub).unwrap();
    let png = encode(&GrayImage::new(2, 2).into(), ImageFormat::Png);
    for path in [folder.path().join("a"), sub.join("b.txt")] {
        std::fs::write(path, &png).unwrap();
    }
    std::fs::write(folder.path().join("notes.png"), b"none").unwrap();
    std::fs::write(folder.path().join(".c.png"), &png).unwrap();
    #[cfg(unix)]
    for name in ["up", "up-again"] {
        std::os::unix::fs::symlink(folder.path(), sub.join(name)).unwrap();
    }
    folder
}

#[test]
fn folders_are_searched() {
    let folder = folder();
    let found = |most| find(folder.path(), most).unwrap();
    assert_eq!(
        found(64).images,
        [folder.path().join("a"), folder.path().join("sub/b.txt")]
    );
    let skipped = found(64).skipped;
    assert_eq!(
        (skipped.hidden, skipped.foreign, skipped.total()),
        (1, 1, 2)
    );
    assert_eq!(
        skipped.to_string(),
        "2 files (1 hidden, 1 no PNG, JPEG or DICOM image)"
    );
    for most in [0, 1] {
        assert_eq!(found(most).images, [folder.path().join("a")]);
    }
    let empty = tempfile::tempdir().unwrap();
    std::fs::write(empty.path().join("a.png"), b"text").unwrap();
    let said = find(empty.path(), 1).unwrap_err();
    assert!(
        matches!(said, Error::NoImages { .. }) && said.to_string().contains(": 1 file (1 no"),
        "{said}"
    );
    let said = find(&empty.path().join("absent"), 1).unwrap_err();
    assert!(
        matches!(said, Error::Folder { .. }) && said.to_string().contains("absent"),
        "{said}"
    );
}

/// Links to itself double the paths of a folder with every level: each file is found once all the same.
#[cfg(unix)]
#[test]
fn links_that_loop() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let png = encode(&GrayImage::new(2, 2).into(), ImageFormat::Png);
    std::fs::write(folder.path().join("a.png"), &png).unwrap();
    let mut links = 0;
    let mut looped = |name: &str, target: &str| {
        symlink(target, folder.path().join(name)).unwrap();
        links += 1;
    };
    looped("loop", ".");
    assert_eq!(find(folder.path(), 64).unwrap().images.len(), 1);
    looped("other", ".");
    looped("third", "loop/other");
    assert_eq!(find(folder.path(), 64).unwrap().images.len(), 1);
    // Another name of a file is none more, and a link to itself or to nowhere leads to no file.
    looped("again.png", "a.png");
    looped("snake", "snake");
    looped("nowhere.png", "missing.png");
    let found = find(folder.path(), 64).unwrap();
    assert_eq!(found.images, [folder.path().join("a.png")]);
    let Skipped {
        again, unreadable, ..
    } = found.skipped;
    assert_eq!((again, unreadable, links), (1, 2, 6));
}

/// What a disk of studies holds beside pictures: its table of contents, reports, and a file whose name says nothing.
#[test]
fn dicom_files_are_known_by_their_class() {
    let of_class = |class: &str| {
        let mut file = vec![0; 128];
        file.extend(b"DICM\x02\0\0\0UL\x04\0\x50\0\0\0\x02\0\x02\0UI");
        file.push(class.len() as u8);
        file.push(0);
        file.extend(class.bytes());
        file
    };
    let folder = tempfile::tempdir().unwrap();
    for (name, class) in [
        ("DICOMDIR", "1.2.840.10008.1.3.10"),
        ("SR0001", "1.2.840.10008.5.1.4.1.1.88.22"),
        ("PR0001", "1.2.840.10008.5.1.4.1.1.11.1"),
        ("PDF0001", "1.2.840.10008.5.1.4.1.1.104.1"),
        ("IM0001", "1.2.840.10008.5.1.4.1.1.1.1"),
        ("IM0002", "1.2.840.10008.5.1.4.1.1.4.1"),
    ] {
        std::fs::write(folder.path().join(name), of_class(class)).unwrap();
    }
    let found = find(folder.path(), 64).unwrap();
    let expected = ["IM0001", "IM0002"].map(|name| folder.path().join(name));
    assert_eq!(
        (found.images, found.skipped.foreign),
        (expected.to_vec(), 4)
    );
}

#[test]
fn every_bad_file_is_named() {
    let folder = folder();
    let [good, text, absent] =
        ["a", "notes.png", "absent.png"].map(|name| folder.path().join(name));
    check_all(std::slice::from_ref(&good)).unwrap();
    assert_eq!(Image::open(&good).unwrap().name, good.display().to_string());
    assert!(matches!(
        check_all(&[good.clone(), text.clone()]),
        Err(Error::Decode {
            source: DecodeError::UnknownFormat,
            ..
        })
    ));
    let said = check_all(&[text, good, absent]).unwrap_err();
    assert!(matches!(&said, Error::Several(all) if all.len() == 2));
    let said = said.to_string();
    assert!(
        said.contains("notes.png: neither") && said.contains("absent.png: "),
        "{said}"
    );
}

/// A file that only begins as an image passes, and opening it names what is wrong with the rest.
#[test]
fn only_the_first_bytes_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let png = encode(&GrayImage::new(2, 2).into(), ImageFormat::Png);
    let jpeg = encode(&GrayImage::new(2, 2).into(), ImageFormat::Jpeg);
    let dicom = [&[0; 128][..], b"DICM"].concat();
    for cut in [&png[..8], &jpeg[..3], &dicom] {
        let path = folder.path().join("cut.png");
        std::fs::write(&path, cut).unwrap();
        check_all(std::slice::from_ref(&path)).unwrap();
        let said = Image::open(&path).unwrap_err();
        assert!(matches!(said, Error::Decode { .. }), "{said}");
        std::fs::write(&path, &cut[..cut.len() - 1]).unwrap();
        assert!(check_all(&[path]).is_err());
    }
}

/// Opening a pipe waits for somebody who writes: a test that hangs here has failed.
#[cfg(unix)]
#[test]
fn pipes_are_not_opened() {
    let folder = folder();
    let pipe = folder.path().join("a-pipe.png");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let found = find(folder.path(), 64).unwrap();
    assert_eq!((found.images.len(), found.skipped.foreign), (2, 2));
    for path in [pipe.as_path(), folder.path()] {
        let said = Image::open(path).unwrap_err().to_string();
        let name = path.display().to_string();
        assert!(
            said.contains(&name) && said.ends_with("it is no regular file"),
            "{said}"
        );
    }
}

#[test]
fn a_file_that_is_too_long() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.png");
    // A hole, not bytes on a disk.
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(MAX_FILE_BYTES + 1).unwrap();
    let said = Image::open(&path).unwrap_err();
    assert!(matches!(said, Error::TooLong { limit, .. } if limit == MAX_FILE_BYTES));
}

#[test]
fn digests_and_what_debug_shows() {
    let png = encode(&GrayImage::new(2, 2).into(), ImageFormat::Png);
    let image = Image::decode("Jane Doe", &png).unwrap();
    assert_eq!(format!("{image:?}"), "Image { .. }");
    // SHA-256 of three bytes (FIPS 180-4).
    assert_eq!(
        crate::file::digest(b"abc"),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
}
