//! How an engine compares, scopes and makes up names.

/// How names of tables, columns, constraints and indexes are compared, and which ones the engine makes up.
pub struct Names {
    /// Whether names are compared without regard to case, quoted ones too.
    pub ignore_case: bool,
    /// What a name is quoted with.
    pub quote: char,
    /// Whether a name in double quotes that no column has is a string.
    pub quoted_may_be_string: bool,
    /// The schema of tables that name none.
    pub default_schema: DefaultSchema,
    /// Which constraints may not have the same name.
    pub constraints: ConstraintNames,
    /// Whether NOT NULL is a constraint with a name: `t_column_not_null`.
    pub not_null: bool,
    /// Whether indexes of one name may stand on two tables of a schema.
    pub indexes_by_table: bool,
    /// The name of a foreign key that is given none.
    pub foreign_key: ForeignKeyName,
    /// The name of an index, a unique or a primary key that is given none.
    pub index: IndexName,
    /// The name of a CHECK that is given none.
    pub check: CheckName,
}

/// The schema of tables that name none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultSchema {
    /// This one, as long as no search path says another.
    SearchPath(&'static str),
    /// This one, in any case of letters; it is never written.
    Fixed(&'static str),
    /// The database in use.
    InUse,
}

/// Which constraints may not have the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConstraintNames {
    /// A name is a remark: nothing is found by it.
    Remarks,
    /// Those of one table, and its indexes.
    OfTable,
    /// Those of one kind: a foreign key and an index may be called alike.
    OfKind,
}

/// The name of a foreign key that is given none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignKeyName {
    /// None.
    None,
    /// `child_column_fkey`.
    Columns,
    /// `child_ibfk_1`; it is renamed with the table.
    Number,
}

/// The name of an index, a unique or a primary key that is given none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexName {
    /// `sqlite_autoindex_table_1`, whatever the constraint is called; it is renamed with the table.
    Autoindex,
    /// The first column's, numbered where it is taken; `PRIMARY` for the primary key.
    FirstColumn,
    /// `table_column_idx`, `table_column_key`, `table_pkey`.
    Columns {
        /// What a unique index without a constraint ends in.
        unique: &'static str,
    },
}

/// The name of a CHECK that is given none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckName {
    /// None.
    None,
    /// `table_chk_1`.
    TableNumber,
    /// The column's where it stands with one, else `CONSTRAINT_1`.
    ColumnOrNumber,
    /// `table_column_check`, without the column where it is about several.
    Columns,
}
