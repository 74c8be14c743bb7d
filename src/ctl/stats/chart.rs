//! Small charts in text.

/// A cell's eighths.
const PARTS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];
/// A column's heights, with blocks and without.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const PLAIN: [char; 8] = ['.', ':', '-', '=', '+', '*', '%', '#'];

/// A bar of at most `width` cells in eighths; what is more than nothing shows.
pub(super) fn bar(value: usize, most: usize, width: usize, unicode: bool) -> String {
    if value == 0 || most == 0 || width == 0 {
        return String::new();
    }
    if !unicode {
        return "#".repeat((value * width / most).max(1));
    }
    let eighths = (value * width * 8 / most).max(1);
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(PARTS[eighths % 8 - 1]);
    }
    bar
}

/// A row of columns, a character each.
pub(super) fn columns(values: &[usize], unicode: bool) -> String {
    let most = values.iter().copied().max().unwrap_or_default();
    let levels = if unicode { BLOCKS } else { PLAIN };
    let level = |value: usize| match value {
        0 => ' ',
        // The highest is whole, the lowest more than nothing.
        _ => levels[(value * 8).div_ceil(most).clamp(1, 8) - 1],
    };
    values.iter().map(|value| level(*value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_fills_the_width_and_one_shows() {
        assert_eq!(bar(8, 8, 4, true), "████");
        assert_eq!(bar(4, 8, 4, true), "██");
        assert_eq!(bar(3, 8, 4, true), "█▌");
        assert_eq!(bar(1, 1000, 4, true), "▏");
        assert_eq!(bar(0, 8, 4, true), "");
        assert_eq!(bar(8, 8, 4, false), "####");
        assert_eq!(bar(1, 1000, 4, false), "#");
    }

    #[test]
    fn columns_are_as_high_as_their_value() {
        assert_eq!(columns(&[0, 1, 4, 8], true), " ▁▄█");
        assert_eq!(columns(&[0, 1, 4, 8], false), " .=#");
        assert_eq!(columns(&[0, 1, 1000], true), " ▁█");
        assert_eq!(columns(&[0, 0], true), "  ");
    }
}
