//! Random schemas as small values that proptest can shrink, and what they become: a model, and DDL.

use proptest::prelude::*;
use referee::schema::{Action, Column, DataType, Engine, ForeignKey, Key, Match, Schema, Table, TableName, Timing};

/// A table: always `id` as primary key.
#[derive(Clone, Debug)]
pub struct TablePlan {
    /// Has `t`, not NULL, and UNIQUE (t, id): what a composite key can refer to.
    pub tenant: bool,
    /// Has `u`, UNIQUE, which can be NULL.
    pub unique: bool,
    /// Where it stands in the order of creation.
    pub place: u8,
}

/// A foreign key.
#[derive(Clone, Debug)]
pub struct KeyPlan {
    pub child: usize,
    pub parent: usize,
    pub on_delete: Action,
    pub on_update: Action,
    pub shape: Shape,
    pub nullable: bool,
    pub default: Option<i64>,
    pub timing: Timing,
    /// Where it stands in the order of creation and of names.
    pub place: u16,
    pub name: u16,
}

/// Which columns a key takes, and what they refer to.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// A column of its own to `id`.
    Plain,
    /// The columns of an earlier key of the table, to `id`.
    Shared,
    /// As an earlier key of the table: same columns, same parent.
    Twin,
    /// `(t, own)` to `(t, id)`.
    Tenant,
    /// Two columns of its own to `(t, id)`.
    Pair,
    /// `t` to `id`.
    TenantItself,
    /// `u` to `id`: at most one child row.
    Single,
    /// A column of its own to `u`.
    ToUnique,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub tables: Vec<TablePlan>,
    pub keys: Vec<KeyPlan>,
    /// What the rows are drawn from.
    pub seed: u64,
}

pub fn plans() -> impl Strategy<Value = Plan> {
    let table = (prop::bool::weighted(0.4), prop::bool::weighted(0.25), any::<u8>())
        .prop_map(|(tenant, unique, place)| TablePlan { tenant, unique, place });
    (prop::collection::vec(table, 2..=9), any::<u64>()).prop_flat_map(|(tables, seed)| {
        let n = tables.len();
        (Just(tables), prop::collection::vec(keys(n), 1..=16), Just(seed)).prop_map(|(tables, keys, seed)| Plan {
            tables,
            keys,
            seed,
        })
    })
}

fn keys(tables: usize) -> impl Strategy<Value = KeyPlan> {
    let on_delete = prop_oneof![
        6 => Just(Action::Cascade),
        3 => Just(Action::NoAction),
        2 => Just(Action::Restrict),
        2 => Just(Action::SetNull),
        1 => Just(Action::SetDefault),
    ];
    let on_update = prop_oneof![
        4 => Just(Action::NoAction),
        2 => Just(Action::Cascade),
        1 => Just(Action::SetNull),
        1 => Just(Action::Restrict),
        1 => Just(Action::SetDefault),
    ];
    let shape = prop_oneof![
        8 => Just(Shape::Plain),
        2 => Just(Shape::Shared),
        1 => Just(Shape::Twin),
        2 => Just(Shape::Tenant),
        1 => Just(Shape::Pair),
        1 => Just(Shape::TenantItself),
        1 => Just(Shape::Single),
        1 => Just(Shape::ToUnique),
    ];
    let timing = prop_oneof![6 => Just(Timing::Immediate), 1 => Just(Timing::Deferrable), 1 => Just(Timing::Deferred)];
    let default = prop::option::weighted(0.2, 1..4i64);
    // Mostly from a table to one before it, as real schemas are; sometimes anywhere, for circles and self references.
    let sides = prop_oneof![
        4 => (0..tables, 0..tables).prop_map(|(a, b)| (a.max(b), a.min(b))),
        1 => (0..tables, 0..tables),
    ];
    (sides, on_delete, on_update, shape, prop::bool::weighted(0.7), default, timing, any::<u16>(), any::<u16>())
        .prop_map(|((child, parent), on_delete, on_update, shape, nullable, default, timing, place, name)| KeyPlan {
            child,
            parent,
            on_delete,
            on_update,
            shape,
            nullable,
            default,
            timing,
            place,
            name,
        })
}

pub fn table_name(number: usize) -> String {
    format!("t{number}")
}

impl Plan {
    /// Makes the model, with firing orders as the engine documents them.
    pub fn schema(&self, engine: Engine) -> Schema {
        let mysql = matches!(engine, Engine::Mysql | Engine::Mariadb);
        let int = || DataType::parse(engine, "int");
        let mut tables: Vec<Table> = Vec::new();
        for (number, plan) in self.tables.iter().enumerate() {
            let mut table = Table::new(TableName::new(table_name(number)));
            let mut add = |name: &str, nullable: bool| {
                table.columns.push(Column { nullable, ..Column::new(name, int()) });
            };
            add("id", false);
            if plan.tenant {
                add("t", false);
            }
            if plan.unique {
                add("u", true);
            }
            table.primary_key = Some(Key::new(["id"]));
            if plan.tenant {
                table.unique_keys.push(Key { name: Some(format!("k{number}t")), ..Key::new(["t", "id"]) });
            }
            if plan.unique {
                table.unique_keys.push(Key { name: Some(format!("k{number}u")), ..Key::new(["u"]) });
            }
            tables.push(table);
        }
        let mut places: Vec<(u16, usize, usize)> = Vec::new();
        for (number, plan) in self.keys.iter().enumerate() {
            let Some(mut key) = self.key(plan, number, &mut tables, engine) else { continue };
            key.name = Some(format!("n{:05}_{number}", plan.name));
            if mysql {
                key.timing = Timing::Immediate;
                key.on_update = if key.on_update == Action::SetDefault { Action::NoAction } else { key.on_update };
            }
            if engine == Engine::Sqlite && key.timing == Timing::Deferrable {
                key.timing = Timing::Immediate;
            }
            places.push((plan.place, plan.child, tables[plan.child].foreign_keys.len()));
            tables[plan.child].foreign_keys.push(key);
        }
        match engine {
            // Newest first: tables by place, the keys of a table as they are declared.
            Engine::Sqlite => {
                let mut order: Vec<(u8, usize, usize)> =
                    places.iter().map(|&(_, t, k)| (self.tables[t].place, t, k)).collect();
                order.sort();
                for (at, (_, table, key)) in order.iter().rev().enumerate() {
                    tables[*table].foreign_keys[*key].firing_order = at as u32;
                }
            }
            Engine::Mysql | Engine::Mariadb => {
                let mut names: Vec<String> =
                    tables.iter().flat_map(|t| &t.foreign_keys).filter_map(|k| k.name.clone()).collect();
                names.sort();
                for key in tables.iter_mut().flat_map(|t| &mut t.foreign_keys) {
                    key.firing_order = names.iter().position(|n| Some(n) == key.name.as_ref()).unwrap() as u32;
                }
            }
            Engine::Postgres | Engine::Cockroach => {
                places.sort();
                for (at, (_, table, key)) in places.iter().enumerate() {
                    tables[*table].foreign_keys[*key].firing_order = at as u32;
                }
            }
        }
        let mut schema = Schema::new(engine);
        schema.tables = tables;
        schema.sort();
        schema
    }

    fn key(&self, plan: &KeyPlan, number: usize, tables: &mut [Table], engine: Engine) -> Option<ForeignKey> {
        let parent = TableName::new(table_name(plan.parent));
        let has = |table: usize, column: &str| tables[table].column(column).is_some();
        let own = format!("c{number}");
        let earlier =
            tables[plan.child].foreign_keys.get(number % tables[plan.child].foreign_keys.len().max(1)).cloned();
        let mut made: Vec<String> = Vec::new();
        let (columns, parent, parent_columns): (Vec<String>, TableName, Vec<&str>) = match (plan.shape, earlier) {
            (Shape::Shared, Some(k)) if k.columns.len() == 1 => (k.columns, parent, vec!["id"]),
            (Shape::Twin, Some(k)) => {
                let to = if k.parent_columns.len() == 2 {
                    vec!["t", "id"]
                } else if k.parent_columns[0] == "u" {
                    vec!["u"]
                } else {
                    vec!["id"]
                };
                (k.columns, k.parent, to)
            }
            (Shape::Tenant, _) if has(plan.child, "t") && has(plan.parent, "t") => {
                made.push(own.clone());
                (vec!["t".into(), own], parent, vec!["t", "id"])
            }
            (Shape::Pair, _) if has(plan.parent, "t") => {
                made.extend([own.clone(), format!("{own}b")]);
                (vec![own.clone(), format!("{own}b")], parent, vec!["t", "id"])
            }
            (Shape::TenantItself, _) if has(plan.child, "t") => (vec!["t".into()], parent, vec!["id"]),
            (Shape::Single, _) if has(plan.child, "u") => (vec!["u".into()], parent, vec!["id"]),
            (Shape::ToUnique, _) if has(plan.parent, "u") => {
                made.push(own.clone());
                (vec![own], parent, vec!["u"])
            }
            _ => {
                made.push(own.clone());
                (vec![own], parent, vec!["id"])
            }
        };
        let int = DataType::parse(engine, "int");
        for name in made {
            let default = plan.default.map(|d| d.to_string());
            tables[plan.child].columns.push(Column {
                nullable: plan.nullable,
                default,
                ..Column::new(name, int.clone())
            });
        }
        let mut key = ForeignKey::new(columns, parent, parent_columns);
        key.on_delete = plan.on_delete;
        key.on_update = plan.on_update;
        key.timing = plan.timing;
        // What only PostgreSQL has, where there are several columns: SET NULL (columns), MATCH FULL with a meaning.
        if engine == Engine::Postgres && key.columns.len() > 1 {
            let sets = matches!(key.on_delete, Action::SetNull | Action::SetDefault);
            if sets && plan.name.is_multiple_of(2) {
                key.set_columns = key.columns[1..].to_vec();
            }
            if plan.name.is_multiple_of(5) {
                key.matching = Match::Full;
            }
        }
        // InnoDB rejects SET NULL where a column is NOT NULL (error 1830, errno 150).
        if matches!(engine, Engine::Mysql | Engine::Mariadb) {
            let rigid = key.columns.iter().any(|c| !tables[plan.child].is_nullable(c));
            if rigid && key.on_delete == Action::SetNull {
                key.on_delete = Action::Cascade;
            }
            // Nor does it take ON UPDATE CASCADE from a column that can be NULL to one that cannot.
            let may_bring_null = key.on_update == Action::Cascade && key.parent_columns.contains(&"u".to_string());
            if rigid && (key.on_update == Action::SetNull || may_bring_null) {
                key.on_update = Action::NoAction;
            }
        }
        Some(key)
    }
}

/// Writes the statements that make the schema, in the order that its firing order comes from.
pub fn ddl(schema: &Schema, plan: &Plan) -> Vec<String> {
    // InnoDB goes by names, so it does not matter that this is the quicker way.
    let inline = matches!(schema.engine, Engine::Sqlite | Engine::Mariadb);
    let mut tables: Vec<(u8, usize)> = plan.tables.iter().enumerate().map(|(i, t)| (t.place, i)).collect();
    tables.sort();
    let mut statements = Vec::new();
    for (_, number) in tables {
        let table = schema.table(&TableName::new(table_name(number))).unwrap();
        let mut parts: Vec<String> = table
            .columns
            .iter()
            .map(|c| {
                let null = if c.nullable { "" } else { " NOT NULL" };
                let default = c.default.as_ref().map(|d| format!(" DEFAULT {d}")).unwrap_or_default();
                format!("{} int{null}{default}", c.name)
            })
            .collect();
        parts.push("PRIMARY KEY (id)".to_string());
        parts.extend(table.unique_keys.iter().map(|k| format!("UNIQUE ({})", k.columns.join(", "))));
        if inline {
            // As declared: the reverse of the firing order.
            let mut keys: Vec<&ForeignKey> = table.foreign_keys.iter().collect();
            keys.sort_by_key(|k| std::cmp::Reverse(k.firing_order));
            parts.extend(keys.into_iter().map(clause));
        }
        statements.push(format!("CREATE TABLE {} ({})", table.name, parts.join(", ")));
    }
    if !inline {
        let add = |(table, key): (&Table, &ForeignKey)| {
            (key.firing_order, format!("ALTER TABLE {} ADD {}", table.name, clause(key)))
        };
        let mut keys: Vec<(u32, String)> = schema.foreign_keys().map(add).collect();
        keys.sort();
        statements.extend(keys.into_iter().map(|k| k.1));
    }
    statements
}

fn clause(key: &ForeignKey) -> String {
    let timing = match key.timing {
        Timing::Immediate => "",
        Timing::Deferrable => " DEFERRABLE",
        Timing::Deferred => " DEFERRABLE INITIALLY DEFERRED",
    };
    let full = if key.matching == Match::Full { " MATCH FULL" } else { "" };
    let set = if key.set_columns.is_empty() { String::new() } else { format!(" ({})", key.set_columns.join(", ")) };
    format!(
        "CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({}){full} ON DELETE {}{set} ON UPDATE {}{timing}",
        key.name.as_deref().unwrap(),
        key.columns.join(", "),
        key.parent,
        key.parent_columns.join(", "),
        key.on_delete,
        key.on_update,
    )
}
