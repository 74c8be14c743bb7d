//! `cargo run --example picture -- FILE.cast SECONDS [FROM_ROW] > docs/bar.svg`: the screen of an
//! asciicast v2 recording at that moment, from that row (from 0) on, as an SVG.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program of its own"
)]

use std::fmt::Write as _;
use std::process::ExitCode;

use alacritty_terminal::Term;
use alacritty_terminal::event::VoidListener;
use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::Config;
use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::vte::ansi::{Color, NamedColor, Processor, Rgb};

const CELL_W: f64 = 8.4;
const CELL_H: f64 = 18.0;
const PAD: f64 = 14.0;
const BACKGROUND: Rgb = Rgb {
    r: 0x16,
    g: 0x18,
    b: 0x1d,
};
const FOREGROUND: Rgb = Rgb {
    r: 0xd6,
    g: 0xd9,
    b: 0xde,
};
/// The sixteen colours of the terminal's palette.
const PALETTE: [u32; 16] = [
    0x16_18_1d, 0xe0_6c_75, 0x98_c3_79, 0xe5_c0_7b, 0x61_af_ef, 0xc6_78_dd, 0x56_b6_c2, 0xd6_d9_de,
    0x5c_63_70, 0xff_7b_86, 0xb1_e0_8c, 0xff_d8_8a, 0x7c_c4_ff, 0xdd_8c_f2, 0x6d_d3_e0, 0xff_ff_ff,
];

struct Size {
    rows: usize,
    cols: usize,
}

impl Dimensions for Size {
    fn total_lines(&self) -> usize {
        self.rows
    }
    fn screen_lines(&self) -> usize {
        self.rows
    }
    fn columns(&self) -> usize {
        self.cols
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (Some(file), Some(seconds)) = (args.first(), args.get(1).and_then(|s| s.parse().ok()))
    else {
        eprintln!("usage: picture FILE.cast SECONDS [FROM_ROW]");
        return ExitCode::from(2);
    };
    let from = args.get(2).and_then(|s| s.parse().ok()).unwrap_or(0);
    match picture(file, seconds, from) {
        Ok(svg) => {
            println!("{svg}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{file}: {error}");
            ExitCode::from(2)
        }
    }
}

fn picture(file: &str, seconds: f64, from: usize) -> Result<String, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string(file)?;
    let mut lines = text.lines();
    let header: serde_json::Value = serde_json::from_str(lines.next().ok_or("no header")?)?;
    let cells = |key: &str| {
        let n = header[key].as_u64().and_then(|n| usize::try_from(n).ok());
        n.ok_or_else(|| format!("no {key}"))
    };
    let size = Size {
        rows: cells("height")?,
        cols: cells("width")?,
    };
    let mut term = Term::new(Config::default(), &size, VoidListener);
    let mut parser: Processor = Processor::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let (at, kind, data): (f64, String, String) = serde_json::from_str(line)?;
        if at > seconds {
            break;
        }
        if kind == "o" {
            parser.advance(&mut term, data.as_bytes());
        }
    }
    Ok(render(&term, &size, from))
}

fn render(term: &Term<VoidListener>, size: &Size, from: usize) -> String {
    let rows = size.rows - from;
    #[expect(clippy::cast_precision_loss, reason = "a screen's size is small")]
    let (width, height) = (
        CELL_W.mul_add(size.cols as f64, 2.0 * PAD),
        CELL_H.mul_add(rows as f64, 2.0 * PAD),
    );
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{}\"/>\n",
        hex(BACKGROUND)
    );
    for row in 0..rows {
        let line = &term.grid()[Line(i32::try_from(row + from).unwrap_or(i32::MAX))];
        let mut col = 0;
        while col < size.cols {
            let style = Style::of(&line[Column(col)]);
            let mut run = String::new();
            let start = col;
            while col < size.cols && Style::of(&line[Column(col)]) == style {
                let cell = &line[Column(col)];
                if !cell.flags.contains(Flags::WIDE_CHAR_SPACER) {
                    run.push(cell.c);
                    run.extend(cell.zerowidth().into_iter().flatten());
                }
                col += 1;
            }
            style.draw(&mut svg, start, col - start, row, &run);
        }
    }
    svg.push_str("</svg>");
    svg
}

#[derive(PartialEq)]
struct Style {
    fg: Rgb,
    bg: Rgb,
    bold: bool,
    faint: bool,
}

impl Style {
    fn of(cell: &Cell) -> Self {
        let (mut fg, mut bg) = (rgb(cell.fg, FOREGROUND), rgb(cell.bg, BACKGROUND));
        if cell.flags.contains(Flags::INVERSE) {
            std::mem::swap(&mut fg, &mut bg);
        }
        Self {
            fg,
            bg,
            bold: cell.flags.contains(Flags::BOLD),
            faint: cell.flags.contains(Flags::DIM),
        }
    }

    fn draw(&self, svg: &mut String, col: usize, cols: usize, row: usize, text: &str) {
        #[expect(clippy::cast_precision_loss, reason = "a screen's size is small")]
        let (x, y, width) = (
            CELL_W.mul_add(col as f64, PAD),
            CELL_H.mul_add(row as f64, PAD),
            CELL_W * cols as f64,
        );
        if self.bg != BACKGROUND {
            let _ = writeln!(
                svg,
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{CELL_H}\" fill=\"{}\"/>",
                hex(self.bg)
            );
        }
        if text.trim().is_empty() {
            return;
        }
        let text = text
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        let weight = if self.bold {
            " font-weight=\"bold\""
        } else {
            ""
        };
        let faint = if self.faint { " opacity=\"0.6\"" } else { "" };
        let _ = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{:.1}\" fill=\"{}\" textLength=\"{width:.1}\" \
             lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\"{weight}{faint}>{text}</text>",
            y + 13.0,
            hex(self.fg)
        );
    }
}

fn rgb(color: Color, default: Rgb) -> Rgb {
    let of = |n: usize| {
        let [_, r, g, b] = PALETTE[n].to_be_bytes();
        Rgb { r, g, b }
    };
    match color {
        Color::Spec(rgb) => rgb,
        Color::Indexed(n @ 0..=15) => of(usize::from(n)),
        Color::Indexed(n @ 16..=231) => {
            let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
            let n = n - 16;
            Rgb {
                r: level(n / 36),
                g: level(n / 6 % 6),
                b: level(n % 6),
            }
        }
        Color::Indexed(n) => {
            let grey = 8 + 10 * (n - 232);
            Rgb {
                r: grey,
                g: grey,
                b: grey,
            }
        }
        Color::Named(NamedColor::Foreground | NamedColor::Background) => default,
        Color::Named(named) if (named as usize) < 16 => of(named as usize),
        Color::Named(_) => default,
    }
}

fn hex(rgb: Rgb) -> String {
    format!("#{:02x}{:02x}{:02x}", rgb.r, rgb.g, rgb.b)
}
