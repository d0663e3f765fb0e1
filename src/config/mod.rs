//! `referee.toml`: what the user declares, demands and does not want to hear about.
