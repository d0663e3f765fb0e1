//! PostgreSQL, every version there is.
use crate::support::postgres as server;

#[test]
fn servers_start() {
    for s in server::servers() {
        let url = s.fresh_database();
        server::execute(&url, "create table t(id int)");
    }
}
