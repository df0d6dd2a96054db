//! The resize against Pillow 13.0.0, first of the columns, then of the rows, each with
//! `Image.resize(size, Image.Resampling.BILINEAR)`, of the 8-bit image whose pixel at (r, c) is
//! `plane`'s. (Up to version 12 Pillow does the same in one call; 13 sometimes does the rows first.)

use nets::{Crops, Filter, Geometry, Picture, Preprocessing, Samples, Shape};

/// Rows and columns before and after, and Pillow's result.
type Case = ([usize; 2], [usize; 2], &'static [u8]);

#[rustfmt::skip]
const CASES: [Case; 9] = [
    ([5, 7], [3, 4], &[46, 143, 150, 107, 117, 123, 138, 114, 130, 144, 120, 114]),
    ([3, 4], [7, 6], &[0, 29, 66, 104, 142, 170, 4, 34, 73, 112, 151, 180, 18, 50, 93, 135, 178, 210, 31, 66, 113, 158, 205, 240, 71, 109, 141, 117, 149, 187, 111, 152, 169, 76, 94, 134, 124, 166, 178, 62, 75, 116]),
    ([17, 23], [8, 8], &[99, 138, 106, 106, 133, 126, 103, 149, 125, 130, 122, 117, 125, 126, 132, 150, 140, 156, 140, 125, 120, 121, 110, 119, 136, 138, 141, 110, 128, 115, 137, 139, 128, 121, 137, 136, 144, 104, 116, 126, 114, 153, 117, 140, 110, 132, 133, 116, 108, 138, 114, 79, 125, 167, 120, 108, 85, 55, 52, 51, 80, 134, 194, 191]),
    ([64, 48], [5, 7], &[129, 121, 127, 132, 131, 127, 127, 118, 114, 126, 134, 133, 122, 134, 130, 123, 122, 124, 126, 123, 122, 126, 128, 130, 125, 131, 128, 120, 127, 128, 132, 121, 134, 136, 129]),
    ([6, 6], [6, 3], &[41, 142, 134, 81, 173, 111, 147, 107, 114, 91, 135, 178, 171, 128, 85, 93, 184, 163]),
    ([4, 9], [2, 9], &[31, 97, 126, 192, 150, 70, 135, 92, 122, 67, 154, 131, 108, 158, 135, 112, 162, 29]),
    ([1, 1], [3, 2], &[0, 0, 0, 0, 0, 0]),
    ([90, 2], [4, 4], &[134, 132, 126, 124, 154, 151, 147, 144, 135, 130, 121, 117, 130, 127, 121, 118]),
    ([21, 21], [9, 9], &[86, 151, 109, 104, 111, 133, 115, 135, 100, 127, 128, 136, 115, 126, 124, 126, 128, 121, 139, 158, 152, 131, 121, 118, 122, 116, 123, 132, 122, 148, 130, 112, 145, 106, 119, 136, 125, 129, 126, 143, 130, 138, 99, 131, 143, 101, 144, 152, 112, 116, 112, 158, 144, 76, 106, 80, 81, 61, 45, 98, 129, 180, 167, 103, 80, 103, 107, 151, 91, 81, 140, 178, 150, 112, 149, 79, 145, 128, 95, 142, 138]),
];

fn plane(rows: usize, columns: usize) -> Vec<u8> {
    let pixel = |r: usize, c: usize| {
        let checks = if (r / 3 + c / 2) % 2 == 1 { 255 } else { 0 };
        u8::try_from((r * r * 31 + c * 57 + r * c * 13 + checks) % 256).expect("below 256")
    };
    (0..rows)
        .flat_map(|r| (0..columns).map(move |c| pixel(r, c)))
        .collect()
}

#[test]
fn equals_pillow() {
    for (from, to, expected) in CASES {
        let found = nets::resize(&plane(from[0], from[1]), from, to, Filter::Bilinear);
        assert_eq!(found, expected, "{from:?} to {to:?}");
    }
}

/// The other filters, made in the same way.
#[rustfmt::skip]
const SHARPER: [(Filter, Case); 12] = [
    (Filter::Bicubic, ([5, 7], [3, 4], &[38, 151, 154, 100, 117, 125, 138, 117, 133, 142, 119, 114])),
    (Filter::Bicubic, ([3, 4], [7, 6], &[0, 21, 61, 99, 140, 167, 2, 26, 70, 110, 153, 182, 8, 37, 87, 141, 192, 222, 26, 60, 113, 158, 211, 245, 69, 112, 150, 114, 152, 195, 110, 163, 183, 61, 81, 133, 128, 184, 197, 40, 53, 109])),
    (Filter::Bicubic, ([17, 23], [6, 7], &[109, 131, 103, 117, 130, 120, 145, 137, 139, 132, 117, 130, 115, 130, 135, 154, 125, 120, 117, 126, 138, 124, 124, 143, 136, 111, 123, 127, 110, 159, 118, 105, 152, 127, 100, 92, 68, 53, 60, 126, 182, 172])),
    (Filter::Bicubic, ([64, 48], [5, 7], &[129, 121, 126, 132, 131, 127, 127, 119, 111, 126, 136, 135, 121, 136, 131, 123, 121, 123, 125, 123, 121, 124, 130, 131, 124, 132, 127, 120, 126, 128, 134, 120, 136, 138, 129])),
    (Filter::Bicubic, ([6, 6], [6, 3], &[31, 150, 135, 72, 186, 105, 151, 103, 116, 87, 135, 181, 174, 128, 81, 85, 193, 162])),
    (Filter::Bicubic, ([90, 2], [4, 4], &[133, 131, 125, 122, 157, 154, 149, 147, 136, 131, 120, 115, 130, 127, 119, 115])),
    (Filter::Lanczos, ([5, 7], [3, 4], &[34, 157, 153, 93, 115, 131, 135, 121, 138, 137, 118, 117])),
    (Filter::Lanczos, ([3, 4], [7, 6], &[0, 21, 64, 90, 133, 159, 0, 20, 70, 111, 161, 185, 3, 23, 82, 145, 204, 226, 27, 57, 114, 157, 214, 244, 71, 121, 157, 113, 149, 198, 104, 170, 184, 62, 76, 143, 122, 198, 199, 32, 34, 109])),
    (Filter::Lanczos, ([17, 23], [6, 7], &[108, 132, 98, 118, 133, 119, 145, 139, 141, 132, 116, 130, 117, 130, 134, 157, 125, 118, 120, 121, 137, 123, 119, 143, 141, 107, 123, 131, 113, 161, 118, 103, 156, 127, 96, 91, 67, 52, 57, 131, 180, 171])),
    (Filter::Lanczos, ([64, 48], [5, 7], &[129, 121, 127, 133, 131, 127, 127, 119, 110, 127, 137, 136, 121, 136, 132, 122, 120, 122, 124, 123, 122, 123, 129, 132, 123, 132, 127, 120, 126, 128, 135, 120, 136, 138, 128])),
    (Filter::Lanczos, ([6, 6], [6, 3], &[23, 158, 136, 70, 188, 105, 146, 108, 116, 92, 135, 176, 176, 128, 79, 84, 200, 156])),
    (Filter::Lanczos, ([90, 2], [4, 4], &[133, 130, 124, 121, 158, 154, 150, 150, 137, 130, 119, 112, 131, 127, 118, 112])),
];

#[test]
fn sharper_filters_equal_pillow() {
    for (filter, (from, to, expected)) in SHARPER {
        let found = nets::resize(&plane(from[0], from[1]), from, to, filter);
        assert_eq!(found, expected, "{filter:?} {from:?} to {to:?}");
    }
}

fn cropping(shape: Shape, side: usize, crops: Crops) -> Preprocessing {
    let mut preprocessing = Preprocessing::new(shape, vec![0.5], vec![0.5]);
    preprocessing.geometry = Geometry {
        filter: Filter::Bicubic,
        resize: Some(side),
        crops,
    };
    preprocessing
}

/// Every view against a crop of the whole resized plane.
#[test]
fn crops_are_parts_of_the_resized_picture() {
    // Sides before, the shorter one after, sides after, of the crop, and the middle as Python rounds.
    for (from, side, to, crop, middle) in [
        ([40, 30], 15, [20, 15], [12, 10], [4, 2]),
        ([30, 41], 15, [15, 20], [10, 15], [2, 2]),
        ([33, 33], 33, [33, 33], [30, 26], [2, 4]),
        ([33, 34], 33, [33, 34], [30, 27], [2, 4]),
        ([9, 7], 14, [18, 14], [11, 14], [4, 0]),
    ] {
        let shape = Shape::new(1, crop[0], crop[1]);
        let pixels = plane(from[0], from[1]);
        let whole = nets::resize(&pixels, from, to, Filter::Bicubic);
        let picture = Picture::new(from[1], from[0], 1, Samples::Eight(pixels)).expect("a picture");
        let mut other = whole.clone();
        other.chunks_mut(to[1]).for_each(<[u8]>::reverse);
        let part = |[top, left]: [usize; 2], mirrored: bool| {
            let whole = if mirrored { &other } else { &whole };
            let rows = whole.chunks(to[1]).skip(top).take(crop[0]);
            let rows: Vec<_> = rows.map(|r| r[left..left + crop[1]].to_vec()).collect();
            rows.concat()
        };
        let ends = [to[0] - crop[0], to[1] - crop[1]];
        let corners = [[0, 0], [0, ends[1]], [ends[0], 0], ends, middle];
        let ten = cropping(shape, side, Crops::Ten);
        ten.check().expect("it makes sense");
        assert_eq!(ten.views(), 10);
        for view in 0..10 {
            let expected = part(corners[view % 5], view >= 5);
            assert!(
                ten.pixels(&picture, view) == expected,
                "{from:?} view {view}"
            );
        }
        let centre = cropping(shape, side, Crops::Centre);
        assert_eq!(centre.views(), 1);
        assert!(
            centre.pixels(&picture, 0) == part(middle, false),
            "{from:?}"
        );
    }
}

/// A line of a picture, resized, would be a gigabyte; its crop is not.
#[test]
fn only_the_crop_is_computed() {
    let picture = Picture::new(16_384, 1, 1, Samples::Eight(vec![7; 16_384])).expect("a picture");
    let preprocessing = cropping(Shape::new(1, 224, 224), 8192, Crops::Centre);
    assert!(preprocessing.pixels(&picture, 0).iter().all(|&p| p == 7));
}

#[test]
fn crops_that_do_not_fit_are_refused() {
    let shape = Shape::new(1, 20, 30);
    assert!(cropping(shape, 30, Crops::Ten).check().is_ok());
    for side in [0, 29, 8193, usize::MAX] {
        assert!(
            cropping(shape, side, Crops::Centre).check().is_err(),
            "{side}"
        );
    }
    let mut stretched = cropping(shape, 30, Crops::Ten);
    stretched.geometry.resize = None;
    assert!(stretched.check().is_err());
}

#[test]
fn the_default_is_not_written() {
    let mut preprocessing = cropping(Shape::new(1, 8, 8), 10, Crops::Ten);
    let text = serde_json::to_string(&preprocessing).expect("JSON");
    assert!(
        text.contains(r#""geometry":{"filter":"bicubic","resize":10,"crops":"ten"}"#),
        "{text}"
    );
    assert_eq!(
        serde_json::from_str::<Preprocessing>(&text).expect("JSON"),
        preprocessing
    );
    preprocessing.geometry = Geometry::default();
    let text = serde_json::to_string(&preprocessing).expect("JSON");
    assert!(!text.contains("geometry"), "{text}");
    assert_eq!(
        serde_json::from_str::<Preprocessing>(&text).expect("JSON"),
        preprocessing
    );
}
