//! String sequences: which of them draw nothing.

use super::super::scan::StringKind;
use super::Shadow;

impl Shadow {
    pub(super) fn command(&mut self, data: &[u8]) {
        let end = data
            .iter()
            .position(|&byte| byte == b';')
            .unwrap_or(data.len());
        let (number, rest) = data.split_at(end);
        let rest = rest.get(1..).unwrap_or_default();
        match number {
            b"8" => {
                let uri = rest
                    .iter()
                    .position(|&byte| byte == b';')
                    .map_or(&[][..], |at| &rest[at + 1..]);
                self.pen.link = !uri.is_empty();
            }
            b"0" | b"1" | b"2" | b"3" | b"4" | b"5" | b"6" | b"7" | b"9" | b"10" | b"11"
            | b"12" | b"13" | b"14" | b"15" | b"16" | b"17" | b"18" | b"19" | b"21" | b"22"
            | b"50" | b"52" | b"99" | b"104" | b"105" | b"106" | b"110" | b"111" | b"112"
            | b"113" | b"114" | b"115" | b"116" | b"117" | b"118" | b"119" | b"633" | b"777" => {}
            // A fresh line is begun where the cursor is not at a line's start.
            b"133" if !rest.starts_with(b"A") && !rest.starts_with(b"L") => {}
            b"1337" if !rest.starts_with(b"File") && !rest.starts_with(b"Multipart") => {}
            // A question, whatever about, draws nothing.
            _ if rest == b"?" || rest.ends_with(b";?") => {}
            _ => self.lose(),
        }
    }

    pub(super) fn string(&mut self, kind: StringKind, data: &[u8]) {
        let harmless = match kind {
            StringKind::Dcs => [&b"+q"[..], b"$q", b"+p"]
                .iter()
                .any(|prefix| data.starts_with(prefix)),
            // Kitty's graphics: only asking whether they are there draws nothing.
            StringKind::Apc => {
                data.starts_with(b"G") && {
                    let control = data.split(|&byte| byte == b';').next().unwrap_or_default();
                    control[1..]
                        .split(|&byte| byte == b',')
                        .any(|pair| pair == b"a=q")
                }
            }
            StringKind::Pm | StringKind::Sos => true,
        };
        if !harmless {
            self.lose();
        }
    }
}
