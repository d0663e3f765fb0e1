//! Reports and graphs as text: one file for each format. A renderer returns a string and prints nothing.
