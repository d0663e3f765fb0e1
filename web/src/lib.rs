//! referee in a browser: the server's room. It holds nothing yet.
//!
//! What belongs here translates requests into calls of the library and its answers into pages, as the command line does for
//! arguments and texts. Nothing here may decide what is wrong with a schema or how it is mended.
