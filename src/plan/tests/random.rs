//! Whatever the schema, a plan holds.

use super::*;

/// One column of a random table: parent, action, what is odd about the key.
#[derive(Clone, Debug)]
struct Reference {
    parent: usize,
    kind: u8,
    action: u8,
    nullable: bool,
    index: bool,
    default: bool,
    odd: u8,
}

fn reference() -> impl Strategy<Value = Reference> {
    (0..5usize, 0..6u8, 0..5u8, any::<bool>(), any::<bool>(), prop::bool::weighted(0.15), 0..12u8).prop_map(
        |(parent, kind, action, nullable, index, default, odd)| Reference {
            parent,
            kind,
            action,
            nullable,
            index,
            default,
            odd,
        },
    )
}

const NAMES: [&str; 5] = ["users", "orders", "invoices", "vehicles", "depots"];
const ACTIONS: [Action; 5] = [Action::NoAction, Action::Restrict, Action::Cascade, Action::SetNull, Action::SetDefault];

fn random(engine: Engine, tables: &[Vec<Reference>]) -> Schema {
    let mut schema = Schema::new(engine);
    let number = |raw| DataType::parse(engine, raw);
    let id = if engine == Engine::Sqlite { "integer" } else { "int8" };
    let mut order = 0;
    for (name, references) in NAMES.iter().zip(tables) {
        let mut table = Table::new(TableName::new(*name));
        table.columns.push(Column { nullable: false, ..Column::new("id", number(id)) });
        let mut index = Index::on(format!("{name}_pkey"), ["id"]);
        (index.unique, index.origin) = (true, crate::schema::IndexOrigin::PrimaryKey);
        table.indexes.push(index);
        table.primary_key = Some(Key { name: Some(format!("{name}_pkey")), ..Key::new(["id"]) });
        for (at, r) in references.iter().enumerate() {
            let parent = NAMES[r.parent % tables.len()];
            let singular = parent.trim_end_matches('s');
            let column = if at == 0 { format!("{singular}_id") } else { format!("{singular}_{at}_id") };
            let raw = if r.odd == 1 && engine == Engine::Postgres { "int4" } else { id };
            let mut made = Column { nullable: r.nullable, ..Column::new(&column, number(raw)) };
            made.default = r.default.then(|| "0".to_string());
            table.columns.push(made);
            if r.index {
                table.indexes.push(Index::on(format!("{name}_{column}_idx"), [&column]));
            }
            if r.kind == 0 {
                continue;
            }
            let mut key = ForeignKey::new([&column], TableName::new(parent), ["id"]);
            key.name = Some(format!("{name}_{column}_fkey"));
            key.on_delete = ACTIONS[usize::from(r.action)];
            key.firing_order = order;
            key.on_delete_written = Some(key.on_delete != Action::NoAction || r.kind > 2);
            order += 1;
            let server = matches!(engine, Engine::Postgres | Engine::Cockroach);
            match r.odd {
                2 if server => key.validated = false,
                3 if engine == Engine::Postgres => key.disabled = Some(DisabledSide::Both),
                4 if engine == Engine::Postgres => (key.enforced, key.validated) = (false, false),
                5 => key.timing = Timing::Deferred,
                6 => key.on_update = Action::SetNull,
                7 if engine == Engine::Sqlite => key.parent = TableName::new("gone"),
                _ => {}
            }
            if matches!(r.odd, 8 | 9) {
                let mut again = key.clone();
                again.name = Some(format!("{name}_{column}_again"));
                again.firing_order = order;
                order += 1;
                if r.odd == 9 {
                    again.on_delete = ACTIONS[(usize::from(r.action) + 2) % 5];
                }
                table.foreign_keys.push(again);
            }
            table.foreign_keys.push(key);
        }
        schema.tables.push(table);
    }
    schema.sort();
    schema
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]
    #[test]
    fn whatever_the_schema_the_plan_holds(
        tables in prop::collection::vec(prop::collection::vec(reference(), 0..5), 1..5),
        engine in prop_oneof![Just(Engine::Postgres), Just(Engine::Sqlite), Just(Engine::Cockroach)],
        manual in any::<bool>(),
        demanded in prop_oneof![3 => Just(""), 1 => Just("CASCADE"), 1 => Just("SET NULL"), 1 => Just("RESTRICT")],
        seed in any::<u64>(),
    ) {
        let mut case = Case::of(random(engine, &tables));
        if !demanded.is_empty() {
            case.settings.policies = policy(&format!("[[policy]]\nparent = \"users\"\non_delete = \"{demanded}\"\n"));
        }
        for recipes in [simulator, recipes] {
            for refuses in [None, Some(seed)] {
                (case.recipes, case.refuses) = (recipes, refuses);
                let result = case.holds(&Options { manual, ..Options::default() });
                prop_assert!(result.is_ok(), "{}", result.unwrap_err());
            }
        }
    }
}
