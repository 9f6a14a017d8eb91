//! This account's own user name: kept here too, so that a relay that lost its store gets it again.
//!
//! Stands beside the engine: asked for by the app, restored whenever the account was brought to a relay anew.

use std::sync::Arc;

use hushpost_wire::SetUserName;
use hushpost_wire::client_frame::Request;

use crate::client::Core;
use crate::connection::{Link, RequestError};
use crate::event::Event;
use crate::store::Transaction;
use crate::{Error, Result};

/// Takes a name at the relay, or gives it up if it is empty.
pub(super) async fn set(core: &Arc<Core>, name: &str) -> Result<()> {
    request(&core.link()?, name).await?;
    let name = (!name.is_empty()).then(|| name.to_owned());
    core.store
        .write(move |tx| {
            tx.execute(
                "UPDATE local_device SET user_name = ?1, user_name_due = 0",
                [name],
            )?;
            Ok(())
        })
        .await
}

/// The name, as far as this device knows.
pub(super) async fn get(core: &Arc<Core>) -> Result<Option<String>> {
    core.store
        .read(|db| {
            let mut query = db.prepare_cached("SELECT user_name FROM local_device")?;
            let mut rows = query.query([])?;
            let row = rows.next()?.ok_or(Error::NotRegistered)?;
            Ok(row.get(0)?)
        })
        .await
}

/// The account was brought to the relay anew: the name has to be taken again.
pub(super) fn is_due(tx: &Transaction<'_>) -> Result<()> {
    tx.execute(
        "UPDATE local_device SET user_name_due = user_name IS NOT NULL",
        [],
    )?;
    Ok(())
}

/// Takes the name again where that is due. If somebody was faster, the app is told.
pub(super) async fn restore(core: &Arc<Core>, link: &Link) -> Result<()> {
    let due = core.store.read(|db| {
        let mut query =
            db.prepare_cached("SELECT user_name FROM local_device WHERE user_name_due = 1")?;
        let mut rows = query.query([])?;
        let row = rows.next()?.map(|row| row.get::<_, Option<String>>(0));
        Ok(row.transpose()?.flatten())
    });
    let Some(name) = due.await? else {
        return Ok(());
    };
    let lost = match request(link, &name).await {
        Ok(()) => false,
        Err(RequestError::Refused {
            retryable: false, ..
        }) => true,
        Err(error) => {
            // The next connection tries again.
            tracing::debug!(code = error.code(), "the user name is not restored");
            return Ok(());
        }
    };
    let told = Arc::clone(core);
    core.store
        .write_then(
            move |tx| {
                tx.execute(
                    "UPDATE local_device SET user_name_due = 0,
                         user_name = CASE WHEN ?1 THEN NULL ELSE user_name END",
                    [lost],
                )?;
                Ok(())
            },
            move |()| {
                if lost {
                    told.events.emit(Event::UserNameLost { name });
                }
            },
        )
        .await
}

async fn request(link: &Link, name: &str) -> Result<(), RequestError> {
    let name = name.to_owned();
    let request = Request::SetUserName(SetUserName { name });
    link.request(request).await.map(drop)
}
