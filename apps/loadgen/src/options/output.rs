//! `-o FILE`: the format follows the extension.

use std::path::Path;

use common::exit::Failure;

use crate::plan::{Format, Output};

pub(super) fn understand(path: &Path) -> Result<Output, Failure> {
    let format = match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
        Some("json") => Format::Json,
        Some("csv") => Format::Csv,
        Some("md") => Format::Markdown,
        Some("html" | "htm") => Format::Html,
        _ => {
            return Err(Failure::usage(format!(
                "-o {}: the extension decides the format: use .html, .json, .csv or .md",
                path.display()
            )));
        }
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        return Err(Failure::usage(format!(
            "-o {}: there is no folder {}",
            path.display(),
            folder.display()
        )));
    }
    Ok(Output { path: path.to_owned(), format })
}
