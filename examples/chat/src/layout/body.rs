//! What a message says, in rows of so many columns.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Span;

use super::message::Row;
use super::{FAINT, LOUD, Look, Pictures, person};
use crate::model::{Ballot, Body, DELETED, File, Item, Link, Picture, UPDATE_NEEDED, Words};
use crate::text::{cut, wrap};

/// Columns of a poll's full bar.
const BAR: usize = 12;

pub(super) fn draw(item: &Item, look: &Look<'_>, most: usize, rows: &mut Vec<Row>) {
    match &item.body {
        Body::Text { words, link } => {
            rows.extend(text(words, look, most));
            if let Some(link) = link {
                rows.extend(leads_to(link, most));
            }
        }
        Body::Files { files, caption } => {
            for one in files {
                rows.extend(file(one, look, most));
            }
            if let Some(caption) = caption {
                rows.extend(text(caption, look, most));
            }
        }
        Body::Ballot(ballot) => rows.extend(poll(ballot, look, most)),
        Body::Card(lines) => {
            let lines = lines.iter().flat_map(|line| wrap(line, most));
            rows.extend(lines.map(|line| vec![Span::raw(line)]));
        }
        Body::Deleted => rows.push(vec![Span::styled(DELETED, FAINT)]),
        // Group changes are drawn across the whole width.
        Body::Group(_) | Body::Unknown => {
            rows.push(vec![Span::styled(cut(UPDATE_NEEDED, most), FAINT)]);
        }
    }
}

/// Words, with the names of those who are spoken of made to stand out.
fn text(words: &Words, look: &Look<'_>, most: usize) -> Vec<Row> {
    let (shown, marks) = words.shown(|account| person(account, look));
    let lines = wrap(&shown, most);
    lines.iter().map(|line| marked(line, &marks)).collect()
}

fn marked(line: &str, marks: &[String]) -> Row {
    let mut row = Row::new();
    let mut rest = line;
    loop {
        let found = marks
            .iter()
            .filter_map(|mark| Some((rest.find(mark)?, mark)));
        // The first, and of two there the longer.
        let Some((at, mark)) = found.min_by_key(|(at, mark)| (*at, core::cmp::Reverse(mark.len())))
        else {
            row.push(Span::raw(rest.to_owned()));
            return row;
        };
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        row.push(Span::raw(before.to_owned()));
        row.push(Span::styled(
            mark.clone(),
            LOUD.add_modifier(Modifier::BOLD),
        ));
        rest = from.get(mark.len()..).unwrap_or_default();
    }
}

fn leads_to(link: &Link, most: usize) -> Vec<Row> {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    [(&link.title, bold), (&link.description, FAINT)]
        .into_iter()
        .filter(|(text, _)| !text.is_empty())
        .map(|(text, style)| vec![Span::styled(cut(&format!("▎{text}"), most), style)])
        .collect()
}

fn file(file: &File, look: &Look<'_>, most: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    if let Some(picture) = file
        .picture
        .as_ref()
        .filter(|_| look.pictures == Pictures::Drawn)
    {
        rows.extend(pixels(picture, most));
    }
    if !file.waveform.is_empty() {
        let bars: String = file.waveform.iter().map(|bar| loudness(*bar)).collect();
        rows.push(vec![Span::raw(cut(&bars, most))]);
    }
    let about = format!(" ({})", file.about());
    let label = cut(
        &file.label(),
        most.saturating_sub(crate::text::width(&about)).max(8),
    );
    let both = wrap(&format!("{label}{about}"), most);
    rows.extend(both.into_iter().map(|line| vec![Span::raw(line)]));
    rows
}

/// Two rows of pixels in one of the terminal: the upper half of a character and what is behind it.
fn pixels(picture: &Picture, most: usize) -> Vec<Row> {
    let colour = |pixel: [u8; 3]| Color::Rgb(pixel[0], pixel[1], pixel[2]);
    let pairs = picture.rows().chunks(2);
    let row = |pair: &[Vec<[u8; 3]>]| {
        let (upper, lower) = match pair {
            [upper, lower] => (upper, Some(lower)),
            [upper] => (upper, None),
            _ => return Row::new(),
        };
        let columns = upper.iter().take(most).enumerate();
        let spans = columns.map(|(at, pixel)| {
            let mut style = Style::new().fg(colour(*pixel));
            if let Some(below) = lower.and_then(|row| row.get(at)) {
                style = style.bg(colour(*below));
            }
            Span::styled("▀", style)
        });
        spans.collect()
    };
    pairs.map(row).collect()
}

const fn loudness(bar: u8) -> char {
    match bar {
        0..32 => '▁',
        32..64 => '▂',
        64..96 => '▃',
        96..128 => '▄',
        128..160 => '▅',
        160..192 => '▆',
        192..224 => '▇',
        224.. => '█',
    }
}

fn poll(ballot: &Ballot, look: &Look<'_>, most: usize) -> Vec<Row> {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let mut rows: Vec<Row> = wrap(&ballot.question, most)
        .into_iter()
        .map(|line| vec![Span::styled(line, bold)])
        .collect();
    let counts = ballot.answers.iter().map(|(_, votes)| votes.len());
    let top = counts.max().unwrap_or(0).max(1);
    for (number, (answer, votes)) in (1_usize..).zip(&ballot.answers) {
        let mine = look.me.is_some_and(|me| votes.contains(&me));
        let filled = votes.len().saturating_mul(BAR).div_ceil(top).min(BAR);
        let bar = format!("{:<BAR$}", "▇".repeat(filled));
        let sign = if mine { '●' } else { '○' };
        rows.push(vec![Span::raw(cut(
            &format!("{sign} {number} {answer}"),
            most,
        ))]);
        rows.push(vec![Span::styled(
            cut(&format!("    {bar} {}", votes.len()), most),
            FAINT,
        )]);
    }
    let how = if ballot.several {
        "several: /vote 1 2"
    } else {
        "/vote 1"
    };
    rows.push(vec![Span::styled(cut(how, most), FAINT)]);
    rows
}
