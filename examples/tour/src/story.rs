//! How the tour tells its story: a line is printed only after what it says was checked.

use std::io::Write as _;

/// Why the tour stops.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;
/// A step of the tour.
pub(crate) type Outcome = Result<(), Failure>;

/// Stops the tour.
pub(crate) fn fail<T>(why: &str) -> Result<T, Failure> {
    Err(why.into())
}

/// Opens a chapter.
pub(crate) fn chapter(title: &str) -> Outcome {
    writeln!(std::io::stdout(), "\n{title}")?;
    Ok(())
}

/// Says what was seen, if it was.
pub(crate) fn tell(seen: bool, line: &str) -> Outcome {
    if !seen {
        return fail(&format!("not so: {line}"));
    }
    writeln!(std::io::stdout(), "  ✓ {line}")?;
    Ok(())
}
