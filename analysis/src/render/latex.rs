//! A figure for a LaTeX document: `\input` it, and the PDF stands there with its caption.

use crate::plot::{COLUMN_PT, Figure};
use crate::render::FIGURES_DIR;

/// A higher figure, in inches, may leave no room for its caption on the page.
const HIGH_IN: f64 = 6.0;

/// The snippet of a figure, width and height in inches. One as wide as a column stays in its column, a wider one spans both.
pub(super) fn figure(figure: &Figure, caption: &str, (width, height): (f64, f64)) -> String {
    let in_column = width <= COLUMN_PT / 72.0 + 0.005;
    let shrunk = if height > HIGH_IN { ",height=.8\\textheight,keepaspectratio" } else { "" };
    let environment = if in_column { "figure" } else { "figure*" };
    let width = trimmed(width);
    let (name, title) = (&figure.name, words(&figure.title));
    format!(
        "% Needs \\usepackage{{graphicx}}; from another directory also \\graphicspath{{{{path/to/this/report/}}}}.\n\
         \\begin{{{environment}}}\n  \\centering\n  \\includegraphics[width={width}in{shrunk}]{{{FIGURES_DIR}/{name}.pdf}}\n  \
         \\caption[{{{title}}}]{{{}}}\n  \\label{{fig:{name}}}\n\\end{{{environment}}}\n",
        words(caption)
    )
}

/// Markdown as our captions use it (`code`, *emphasis*, \" at quotations) in LaTeX's words.
fn words(markdown: &str) -> String {
    let mut out = String::new();
    for (k, part) in markdown.split('`').enumerate() {
        if k % 2 == 1 {
            out.push_str(&format!("\\texttt{{{}}}", code(part)));
        } else {
            prose(part, &mut out);
        }
    }
    out
}

fn prose(text: &str, out: &mut String) {
    let mut emphasis = false;
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '*' if emphasis
                || opens(before) && rest.peek().is_some_and(|n| n.is_alphanumeric()) =>
            {
                out.push_str(if emphasis { "}" } else { "\\emph{" });
                emphasis = !emphasis;
            }
            '"' if opens(before) => out.push_str("``"),
            '"' => out.push_str("''"),
            c => out.push_str(&letter(c)),
        }
        before = c;
    }
    if emphasis {
        out.push('}');
    }
}

/// Whether a word or a quotation may begin after it.
fn opens(before: char) -> bool {
    before.is_whitespace() || before == '('
}

/// Long ids may be broken where they have a joint.
fn code(text: &str) -> String {
    let one = |c: char| match c {
        '/' => "/\\allowbreak{}".to_owned(),
        '-' => "-\\allowbreak{}".to_owned(), // The braces also keep two of them from joining to a dash.
        '"' => "\\textquotedbl{}".to_owned(),
        c => letter(c),
    };
    text.chars().map(one).collect()
}

/// Characters that mean something to LaTeX, or that its default fonts and encodings lack.
fn letter(c: char) -> String {
    let said = match c {
        '\\' => "\\textbackslash{}",
        '_' | '%' | '&' | '#' | '$' | '{' | '}' => return format!("\\{c}"),
        '~' => "\\textasciitilde{}",
        '^' => "\\textasciicircum{}",
        '<' => "\\textless{}",
        '>' => "\\textgreater{}",
        '|' => "\\textbar{}",
        '\u{a0}' => "~",
        '–' => "--",
        '—' => "---",
        '…' => "\\ldots{}",
        '†' => "\\dag{}",
        '·' => "$\\cdot$",
        '×' => "$\\times$",
        '±' => "$\\pm$",
        '≤' => "$\\leq$",
        '≥' => "$\\geq$",
        '≈' => "$\\approx$",
        '−' => "$-$",
        '→' => "$\\rightarrow$",
        '√' => "$\\sqrt{\\;}$",
        '∞' => "$\\infty$",
        'µ' | 'μ' => "$\\mu$",
        'α' => "$\\alpha$",
        'β' => "$\\beta$",
        'γ' => "$\\gamma$",
        'λ' => "$\\lambda$",
        'σ' => "$\\sigma$",
        'Δ' => "$\\Delta$",
        '⁻' => "$^{-}$",
        '²' => "$^{2}$",
        '³' => "$^{3}$",
        '¹' => "$^{1}$",
        '⁰' => "$^{0}$",
        '⁴'..='⁹' => return format!("$^{{{}}}$", c as u32 - '⁴' as u32 + 4),
        c if c.is_control() => " ",
        c => return c.to_string(),
    };
    said.to_owned()
}

/// `3.4`, `7`.
fn trimmed(inches: f64) -> String {
    let text = format!("{inches:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snippet(title: &str, caption: &str, size: (f64, f64)) -> String {
        let drawn =
            Figure { name: "speedup-cpu".to_owned(), title: title.to_owned(), svg: String::new() };
        figure(&drawn, caption, size)
    }

    #[test]
    fn what_latex_would_misread_is_escaped() {
        let said = words(
            "`go1.26+p1/a_b@x` 95 % of 10⁻⁴ µs & \"Others\" *all* ~ N ≥ 2 × {1}, a\\b #1 $ 2*3",
        );
        assert_eq!(
            said,
            "\\texttt{go1.26+p1/\\allowbreak{}a\\_b@x} 95 \\% of 10$^{-}$$^{4}$ $\\mu$s \\& ``Others'' \\emph{all} \
             \\textasciitilde{} N $\\geq$ 2 $\\times$ \\{1\\}, a\\textbackslash{}b \\#1 \\$ 2*3"
        );
        assert_eq!(words("`--x`"), "\\texttt{-\\allowbreak{}-\\allowbreak{}x}");
    }

    #[test]
    fn width_decides_between_one_column_and_both() {
        let narrow = snippet("Speed-up", "All of it.", (3.4, 2.0));
        assert!(
            narrow.contains("\\begin{figure}\n") && narrow.contains("[width=3.4in]"),
            "{narrow}"
        );
        let wide = snippet("Speed-up", "All of it.", (7.0, 2.0));
        assert!(wide.contains("\\begin{figure*}\n") && wide.contains("[width=7in]"), "{wide}");
        assert!(
            wide.contains("{figures/speedup-cpu.pdf}") && wide.contains("\\label{fig:speedup-cpu}")
        );
        assert!(wide.contains("\\caption[{Speed-up}]{All of it.}"), "{wide}");
        let high = snippet("Speed-up", "All of it.", (7.0, 9.1));
        assert!(high.contains("[width=7in,height=.8\\textheight,keepaspectratio]"), "{high}");
    }
}
