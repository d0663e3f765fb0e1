//! Whatever things are called: a document that is written can be read back, and has the same words in it.

use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::*;
use crate::render::Style;
use crate::text::{commands_terminal, one_line, visible};

/// What means something somewhere.
const HOSTILE: &[&str] = &[
    "`",
    "``",
    "```",
    "|",
    "\\",
    "[",
    "](javascript:alert(1))",
    "![x](y)",
    "<script>alert(1)</script>",
    "<!--",
    "-->",
    "</code>",
    "&",
    "&lt;",
    "&#60;",
    "\"",
    "'",
    "*",
    "**",
    "_",
    "~~",
    "#",
    "# ",
    "- ",
    "+ ",
    "1. ",
    "12) ",
    "> ",
    "---",
    "===",
    ":--|",
    "    ",
    "\u{1b}]0;x\u{7}",
    "\u{1b}[31m",
    "\u{9b}2J",
    "\u{7f}",
    "\0",
    "\r",
    "\n",
    "\n\n",
    "\t",
    " ",
    "\u{202e}",
    "\u{2066}",
    "\u{200b}",
    "\u{200d}",
    "\u{feff}",
    "\u{2028}",
    "\u{ad}",
    "\u{e0041}",
    "e\u{301}\u{323}",
    "\u{300}",
    "日本",
    "http://e.x/",
    "a",
    "users",
    "%s",
    "{{ x }}",
    "$$",
    "\u{85}",
    "\u{a0}",
];

fn name() -> impl Strategy<Value = String> {
    let piece = prop_oneof![6 => prop::sample::select(HOSTILE).prop_map(str::to_string), 1 => any::<char>().prop_map(String::from)];
    prop::collection::vec(piece, 0..7).prop_map(|pieces| pieces.concat())
}

/// A document that has a text everywhere a text can be.
fn document(name: &str) -> Document {
    let own = || vec![Span::Plain("a ".into()), Span::name(name), Span::Plain(format!(" b{name}c"))];
    let label = Lead::Label { column: format!("{name}  "), words: format!("{name}: ") };
    let mut table = Table::new(&["One", "#Two"]);
    table.row([own(), vec![Span::name(name)]]);
    table.row([vec![Span::Strong(vec![Span::Code(name.into())])], vec![Span::Dim(plain(format!("x{name}x")))]]);
    vec![
        Block::heading(1, own()),
        Block::Paragraph(own()),
        Block::Paragraph(vec![Span::name(name)]),
        Block::Paragraph(plain(name)),
        Block::Paragraph(prose(name)),
        Block::list(&Lead::Bullet, [own(), plain(name)]),
        Block::Paragraph(plain("between")),
        Block::list(&label, [own()]),
        Block::Indented(2, vec![Block::Table(table), Block::Gap]),
        Block::Code { language: "sql", text: name.into() },
        Block::Beside { column: "undo  ", words: "Undo:", blocks: vec![Block::Paragraph(own())] },
        Block::Paragraph(vec![Span::Toned(Tone::Bad, own())]),
        Block::Paragraph(plain("end")),
    ]
}

fn is_shown(c: char) -> bool {
    matches!(c, '\n' | '\t') || one_line(&c.to_string()).starts_with(c)
}

/// A text as Markdown shows it: the spaces at its ends do not count.
fn shown(text: &str) -> String {
    visible(text).replace(['\n', '\t'], " ").trim_matches(' ').to_string()
}

fn code(name: &str) -> String {
    if name.is_empty() { "\"\"".to_string() } else { one_line(name) }
}

/// The letters of a message, whatever of it is code.
fn letters(text: &str) -> String {
    let text = text.replace("\\n", "").replace("\\t", "");
    text.chars().filter(|c| !c.is_whitespace() && !"⟦⟧`\"".contains(*c)).collect()
}

/// What a reader of Markdown sees: the words of each heading, paragraph, item, cell and block of code; code in `⟦⟧`.
fn read(markdown: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Start(Tag::Heading { .. } | Tag::Paragraph | Tag::Item | Tag::TableCell | Tag::CodeBlock(_)) => {
                found.push(String::new())
            }
            Event::Start(Tag::List(None) | Tag::Table(_) | Tag::TableHead | Tag::TableRow | Tag::Strong) => {}
            Event::End(
                TagEnd::Heading(_) | TagEnd::Paragraph | TagEnd::Item | TagEnd::TableCell | TagEnd::CodeBlock,
            ) => {}
            Event::End(TagEnd::List(_) | TagEnd::Table | TagEnd::TableHead | TagEnd::TableRow | TagEnd::Strong) => {}
            Event::Text(text) => found.last_mut().unwrap().push_str(&text),
            Event::Code(text) => found.last_mut().unwrap().push_str(&format!("⟦{text}⟧")),
            other => panic!("{other:?} in:\n{markdown}"),
        }
    }
    found
}

/// Reads the elements of ours and gives back the text between; fails at any other markup.
fn read_html(html: &str) -> Vec<String> {
    let tags = ["h1", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "code", "b", "span", "pre"];
    let mut texts = Vec::new();
    for part in html.split('<').skip(1) {
        let (tag, text) = part.split_once('>').unwrap_or_else(|| panic!("a bare `<` before {part:?}"));
        let name = tag.trim_start_matches('/').split(' ').next().unwrap();
        assert!(tags.contains(&name), "<{tag}> in {html}");
        assert!(!text.contains(['>', '"', '\'']), "{text}");
        let mut plain = text.to_string();
        for (entity, c) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "\u{1}")] {
            plain = plain.replace(entity, c);
        }
        assert!(!plain.contains('&'), "a bare `&` in {text}");
        texts.push(plain.replace('\u{1}', "&"));
    }
    texts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_name_commands_a_terminal_and_each_is_there(name in name(), narrow in 20usize..80) {
        let style = Style { width: narrow, ..Style::default() };
        let text = text::write(&document(&name), &style);
        prop_assert!(text.chars().all(is_shown), "{text:?}");
        prop_assert!(text.lines().any(|line| line.trim_end() == one_line(&name).trim_end()), "{text:?}");
        let coloured = text::write(&document(&name), &Style { colour: true, ..style });
        let plain = anstream::adapter::strip_str(&coloured).to_string();
        let lines = |text: &str| text.lines().map(|line| line.trim_end().to_string()).collect::<Vec<_>>();
        prop_assert_eq!(lines(&plain), lines(&text));
    }

    #[test]
    fn markdown_has_each_name_as_it_is(name in name()) {
        let markdown = markdown::write(&document(&name));
        prop_assert!(markdown.chars().all(is_shown), "{markdown:?}");
        let (code, plain) = (code(&name), shown(&name));
        let inside = visible(&name).replace(['\n', '\t'], " ");
        let own = format!("a ⟦{code}⟧ b{inside}c");
        let mut found = read(&markdown);
        // A paragraph of nothing is none.
        let nothing = plain.is_empty();
        let mut expected = vec![own.clone(), own.clone(), format!("⟦{code}⟧")];
        expected.extend((!nothing).then(|| plain.clone()));
        if !nothing {
            let message = found.remove(expected.len());
            prop_assert_eq!(letters(&message), letters(&visible(&name)), "{}", markdown);
        }
        expected.extend([own.clone(), plain, "between".to_string()]);
        expected.push(format!("{inside}: {own}").trim_matches(' ').to_string());
        expected.extend(["One".to_string(), "Two".to_string(), own.clone(), format!("⟦{code}⟧"), format!("⟦{code}⟧"), format!("x{inside}x")]);
        expected.extend([format!("{}\n", visible(&name)), "Undo:".to_string(), own.clone(), own, "end".to_string()]);
        prop_assert_eq!(found, expected, "{}", markdown);
    }

    #[test]
    fn html_has_no_markup_but_ours(name in name()) {
        let html = html::write(&document(&name));
        prop_assert!(html.chars().all(is_shown), "{html:?}");
        let texts = read_html(&html);
        prop_assert!(texts.iter().any(|text| *text == one_line(&name)), "{html}");
        prop_assert!(texts.iter().any(|text| *text == visible(&name)), "{html}");
        prop_assert!(texts.contains(&format!(" b{}c", visible(&name))), "{html}");
    }
}

#[test]
fn what_is_shown_is_what_takes_room() {
    assert!(is_shown('a') && is_shown('\u{301}') && !is_shown('\u{202e}') && !is_shown('\r'));
    assert!(HOSTILE.iter().flat_map(|h| h.chars()).any(commands_terminal));
}

#[test]
fn words_are_wrapped_below_their_lead_and_names_stay_whole() {
    let style = Style { width: 29, ..Style::default() };
    let label = Lead::Label { column: "lock  ".into(), words: "Lock: ".into() };
    let line =
        vec![Span::Plain("reads of ".into()), Span::name("order  lines"), Span::Plain(", and of all others".into())];
    let document = vec![Block::heading(2, plain("Locks")), Block::Indented(2, vec![Block::list(&label, [line])])];
    let expected = "Locks\n  lock  reads of\n        order  lines, and of\n        all others\n";
    assert_eq!(text::write(&document, &style), expected);
    assert_eq!(markdown::write(&document), "## Locks\n\n- Lock: reads of `order  lines`, and of all others\n");
}

#[test]
fn columns_stand_below_each_other_and_the_last_is_wrapped() {
    let mut table = Table::new(&["Table", "#Rows", "Why"]);
    table.row([vec![Span::name("日本")], plain("5"), plain("one two three four")]);
    table.row([vec![Span::name("users")], plain("1,200"), plain("")]);
    let style = Style { width: 36, ..Style::default() };
    let expected = "日本       5  one two three four\nusers  1,200\n";
    assert_eq!(text::write(&[Block::Table(table.clone())], &style), expected);
    let expected =
        "| Table | Rows | Why |\n|---|--:|---|\n| `日本` | 5 | one two three four |\n| `users` | 1,200 |  |\n";
    assert_eq!(markdown::write(&[Block::Table(table)]), expected);
}
