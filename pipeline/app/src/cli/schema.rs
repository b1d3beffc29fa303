//! `forewarn schema`: the JSON Schemas and the AsyncAPI document, generated from the types.

use super::error::CliError;
use super::{Context, End};
use std::path::PathBuf;

/// Writes the JSON Schemas and the AsyncAPI document.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The directory to write to; without it the names are listed
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Prints one document, such as prediction
    #[arg(value_name = "NAME", conflicts_with = "out")]
    name: Option<String>,
}

impl Args {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<End, CliError> {
        if let Some(dir) = &self.out {
            let report = crate::schema::write(dir).map_err(CliError::failed)?;
            context.out.line(format_args!(
                "{} files in {}, {} changed",
                report.files.len(),
                dir.display(),
                report.changed
            ))?;
            return Ok(End::Done);
        }
        let files = crate::schema::files();
        match &self.name {
            None => {
                for name in files.keys() {
                    context.out.line(name)?;
                }
            }
            Some(name) => {
                let found = files.get(name).or_else(|| files.get(&format!("{name}.json")));
                let text = found.ok_or_else(|| format!("no schema `{name}`; `forewarn schema` lists them"))?;
                context.out.line(text.trim_end())?;
            }
        }
        Ok(End::Done)
    }
}
