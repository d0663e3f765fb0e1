//! Any bytes: their replay and the judgement of what comes out end, and end well.
//!
//! The first byte chooses the engine.

#![no_main]

#[allow(dead_code, reason = "each target checks one of the properties")]
#[path = "../property.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let engine = property::ENGINES[usize::from(*first) % property::ENGINES.len()];
    property::replays(engine, &String::from_utf8_lossy(rest));
});
