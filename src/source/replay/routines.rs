//! Procedures of MySQL's: what their bodies do to tables is done where they are called.

use super::super::history::{Place, SkippedClause};
use super::Replay;
use crate::sql::ast::{Command, Name, Routine, RoutineDdl, Skipped, Span};

/// A procedure that is there.
pub(super) struct Known {
    /// The file it is in.
    file: usize,
    routine: Routine,
    called: bool,
}

impl Replay {
    pub(super) fn create_routine(&mut self, routine: &Routine) {
        let known = Known { file: self.step.file, routine: routine.clone(), called: false };
        let old = self.routines.insert(routine.name.name.to_ascii_lowercase(), known);
        self.note_uncalled(old);
    }

    /// Does what the procedure's body may do; all of it is conditional, as its code decides.
    pub(super) fn call(&mut self, name: &Name, arguments: &[Option<String>], span: Span) {
        let Some(known) = self.routines.get_mut(&name.name.to_ascii_lowercase()) else { return };
        known.called = true;
        let (file, ddl) = (known.file, known.routine.ddl.clone());
        self.conditional = true;
        for one in &ddl {
            match one {
                RoutineDdl::Fixed(located) => {
                    // Where a change is, is told within the file of the statement that makes it.
                    self.instead = (file != self.step.file).then_some(span);
                    self.command(located);
                }
                RoutineDdl::Template { .. } => {
                    let Some(text) = one.filled(arguments) else {
                        let at = Place { file: self.step.file, span };
                        self.history.skipped.push(SkippedClause { at, within: Skipped::EXECUTE });
                        continue;
                    };
                    self.instead = Some(span);
                    for statement in crate::sql::read(self.engine, &text) {
                        // One that calls itself would have no end.
                        let ddl = |c: &Command| !matches!(c, Command::Call { .. } | Command::CreateRoutine(_));
                        for located in statement.commands.iter().filter(|l| ddl(&l.command)) {
                            self.command(located);
                        }
                    }
                }
            }
        }
        self.instead = None;
    }

    /// Notes the DDL of procedures that nothing called.
    pub(super) fn note_uncalled(&mut self, routines: impl IntoIterator<Item = Known>) {
        for known in routines.into_iter().filter(|k| !k.called) {
            let places = known.routine.ddl.iter().map(|d| Place { file: known.file, span: d.span() });
            self.history.skipped.extend(places.map(|at| SkippedClause { at, within: Skipped::ROUTINE }));
        }
    }
}
