use super::super::scan::Scanner;
use super::*;

/// A stream of everything, in an order that a seed decides.
struct Stream {
    state: u64,
}

impl Stream {
    fn below(&mut self, bound: usize) -> usize {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.state >> 33).expect("31 bits") % bound
    }

    fn item(&mut self) -> String {
        let texts = [
            "text ",
            "漢字",
            "e\u{301}",
            "⚠\u{fe0f}",
            "👩\u{200d}💻",
            "🇩🇪",
            "\u{301}",
            "\u{fffd}",
            "─────────────",
        ];
        let others = [
            "\r\n",
            "\n",
            "\r",
            "\t",
            "\x08",
            "\x1bM",
            "\x1bD",
            "\x1bE",
            "\x1b7",
            "\x1b8",
            "\x1bc",
            "\x1b[s",
            "\x1b[u",
            "\x1b#8",
            "\x1b[?1049h",
            "\x1b[?1049l",
            "\x1b[?47h",
            "\x1b[?47l",
            "\x1b[?6h",
            "\x1b[?6l",
            "\x1b[?7l",
            "\x1b[?7h",
            "\x1b[4h",
            "\x1b[4l",
            "\x1b[41m",
            "\x1b[m",
            "\x1b[9m",
            "\x1b[?25l",
        ];
        let finals = [
            "A", "B", "C", "D", "E", "F", "G", "H", "J", "K", "L", "M", "P", "S", "T", "X", "@",
            "b", "d", "r", "Z", "I",
        ];
        match self.below(4) {
            0 => texts[self.below(texts.len())].repeat(1 + self.below(4)),
            1 => others[self.below(others.len())].to_owned(),
            2 => format!("\x1b[{};{}H", self.below(9), self.below(20)),
            _ => format!(
                "\x1b[{};{}{}",
                self.below(12),
                self.below(12),
                finals[self.below(finals.len())]
            ),
        }
    }
}

#[test]
fn pictures_are_never_stale_and_no_size_is_too_small() {
    let sizes = [(1, 1), (1, 9), (9, 1), (2, 2), (3, 7), (8, 16), (0, 0)];
    for seed in 0..sizes.len() * 40 {
        let mut stream = Stream {
            state: u64::try_from(seed).expect("a small seed"),
        };
        let (rows, cols) = sizes[seed % sizes.len()];
        let mut shadow = Shadow::new(Size::new(rows, cols));
        let mut scanner = Scanner::new();
        for _ in 0..120 {
            let item = stream.item();
            scanner.feed(item.as_bytes(), |token| shadow.apply(&token));
            match stream.below(60) {
                0 => {
                    let (rows, cols) = sizes[stream.below(sizes.len())];
                    shadow.resize(Size::new(rows, cols));
                }
                1 => shadow.anchor(2, 1),
                2 => shadow.distrust(),
                _ => {}
            }
            let kept = shadow.screen();
            shadow.repaint_all();
            assert_eq!(kept, shadow.screen(), "seed {seed}, after {item:?}");
            let mut bytes = Vec::new();
            shadow.write_row(shadow.size().rows - 1, &mut bytes);
            shadow.write_cursor(&mut bytes);
        }
    }
}
