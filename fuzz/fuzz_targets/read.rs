//! Any bytes: what the splitter and the reader of DDL promise holds for them, whoever's SQL they are.

#![no_main]

#[allow(dead_code, reason = "each target checks one of the properties")]
#[path = "../property.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    for engine in property::ENGINES {
        property::reads(engine, &text);
    }
});
