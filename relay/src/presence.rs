//! Presence: the last sealed value of opaque topics, and who follows them.
//!
//! A topic is the hash of a key that its publisher shows; the relay knows no more than that. Values live
//! in memory. One that outlives [`KEPT_FROM_S`] ("last seen") is kept on disk, too: it outlives a restart,
//! and is what a new follower gets when no newer value ("online") is current.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use hushpost_wire::{ErrorCode, PresenceValue, limits, topic};
use rusqlite::{OptionalExtension, params};

use crate::refusal::Refusal;
use crate::store::{Store, StoreError, from_sql, now_ms, to_sql};

/// Values that live this long, in seconds, are kept on disk.
const KEPT_FROM_S: u32 = 600;

/// A topic.
pub type Topic = [u8; topic::TOPIC_LEN];

/// Who follows topics: a connection. What it is told must not make it wait.
pub trait Follower: Send + Sync {
    /// A followed topic has another value.
    fn presence_changed(&self, value: PresenceValue);
}

/// A value to publish, checked.
#[derive(Clone)]
pub struct Published {
    /// Where.
    pub topic: Topic,
    /// The sealed value; empty: forget the topic.
    pub value: Bytes,
    /// How long, seconds, from 1.
    pub ttl_s: u32,
}

impl Published {
    /// Checks lengths, and makes the topic from its key.
    ///
    /// # Errors
    /// [`ErrorCode::BadRequest`], [`ErrorCode::TooLarge`].
    pub fn checked(topic_key: &[u8], value: &Bytes, ttl_s: u32) -> Result<Self, Refusal> {
        let key: [u8; topic::TOPIC_LEN] = topic_key
            .try_into()
            .map_err(|_| Refusal::new(ErrorCode::BadRequest, "a topic key is 32 bytes"))?;
        if value.len() > limits::MAX_PRESENCE_LEN {
            return Err(Refusal::new(
                ErrorCode::TooLarge,
                format!(
                    "a presence value is at most {} bytes",
                    limits::MAX_PRESENCE_LEN
                ),
            ));
        }
        Ok(Self {
            topic: topic::of_key(&key),
            // A copy of its own, so that it does not keep the whole frame in memory.
            value: Bytes::copy_from_slice(value),
            ttl_s: ttl_s.clamp(1, limits::MAX_PRESENCE_TTL_S),
        })
    }
}

#[derive(Default)]
struct State {
    value: Bytes,
    expires_ms: u64,
    /// The connection that published last, if any has since there is this state.
    publisher: Option<u64>,
    followers: Vec<(u64, Weak<dyn Follower>)>,
}

/// All topics. Clones share them.
#[derive(Clone)]
pub struct Presence {
    store: Store,
    topics: Arc<Mutex<HashMap<Topic, State>>>,
}

impl Presence {
    /// No topics in memory; those on disk are read when somebody follows them.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self {
            store,
            topics: Arc::default(),
        }
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<Topic, State>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes what a connection left to be said after its end, unless another one has published under the
    /// topic since: a phone that changed networks is online, whatever its old connection had to leave.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub async fn publish_will(&self, id: u64, will: Published) -> Result<(), Refusal> {
        let is_latest = self
            .topics()
            .get(&will.topic)
            .and_then(|state| state.publisher)
            .is_none_or(|publisher| publisher == id);
        if is_latest {
            self.publish(id, will).await
        } else {
            Ok(())
        }
    }

    /// Publishes a value that connection `id` says, and tells the followers.
    ///
    /// # Errors
    /// [`Refusal`] if a value that is to be kept cannot be stored; nobody was told then.
    pub async fn publish(&self, id: u64, published: Published) -> Result<(), Refusal> {
        let Published {
            topic,
            value,
            ttl_s,
        } = published;
        let expires_ms = now_ms().saturating_add(u64::from(ttl_s).saturating_mul(1000));
        if value.is_empty() {
            self.store
                .write(move |connection| -> Result<(), Refusal> {
                    connection
                        .prepare_cached("DELETE FROM presence WHERE topic = ?1")?
                        .execute(params![topic])?;
                    Ok(())
                })
                .await?;
        } else if ttl_s >= KEPT_FROM_S {
            let stored = value.clone();
            self.store
                .write(move |connection| -> Result<(), Refusal> {
                    connection
                        .prepare_cached(
                            "INSERT OR REPLACE INTO presence (topic, value, expires_ms)
                             VALUES (?1, ?2, ?3)",
                        )?
                        .execute(params![topic, stored.as_ref(), to_sql(expires_ms)])?;
                    Ok(())
                })
                .await?;
        }
        let followers: Vec<Arc<dyn Follower>> = {
            let mut topics = self.topics();
            let state = topics.entry(topic).or_default();
            state.value = value.clone();
            state.expires_ms = expires_ms;
            state.publisher = Some(id);
            state
                .followers
                .iter()
                .filter_map(|(_, follower)| follower.upgrade())
                .collect()
        };
        for follower in followers {
            follower.presence_changed(PresenceValue {
                topic: Bytes::copy_from_slice(&topic),
                value: value.clone(),
            });
        }
        Ok(())
    }

    /// Follows topics; their current values.
    ///
    /// # Errors
    /// [`Refusal`] if the store fails.
    pub async fn subscribe(
        &self,
        id: u64,
        follower: Weak<dyn Follower>,
        wanted: Vec<Topic>,
    ) -> Result<Vec<PresenceValue>, Refusal> {
        let now = now_ms();
        let mut values = Vec::new();
        let mut unknown = Vec::new();
        {
            let mut topics = self.topics();
            for topic in wanted {
                let state = topics.entry(topic).or_default();
                if !state.followers.iter().any(|(known, _)| *known == id) {
                    state.followers.push((id, Weak::clone(&follower)));
                }
                if state.expires_ms > now {
                    if !state.value.is_empty() {
                        values.push(value_of(topic, state.value.clone()));
                    }
                } else {
                    unknown.push(topic);
                }
            }
        }
        if !unknown.is_empty() {
            let stored = self
                .store
                .read(move |connection| -> Result<_, StoreError> {
                    let mut find = connection.prepare_cached(
                        "SELECT value, expires_ms FROM presence
                          WHERE topic = ?1 AND expires_ms > ?2",
                    )?;
                    let mut stored = Vec::new();
                    for topic in unknown {
                        let found: Option<(Vec<u8>, i64)> = find
                            .query_row(params![topic, to_sql(now)], |row| {
                                Ok((row.get(0)?, row.get(1)?))
                            })
                            .optional()?;
                        stored.extend(found.map(|(value, expires)| (topic, value, expires)));
                    }
                    Ok(stored)
                })
                .await?;
            let mut topics = self.topics();
            for (topic, value, expires_ms) in stored {
                let value = Bytes::from(value);
                if let Some(state) = topics.get_mut(&topic) {
                    // Somebody may have published meanwhile; that is newer.
                    if state.expires_ms <= now {
                        state.value = value.clone();
                        state.expires_ms = from_sql(expires_ms);
                    }
                }
                values.push(value_of(topic, value));
            }
        }
        Ok(values)
    }

    /// Stops following.
    pub fn unsubscribe(&self, id: u64, unwanted: &[Topic]) {
        let now = now_ms();
        let mut topics = self.topics();
        for topic in unwanted {
            if let Some(state) = topics.get_mut(topic) {
                state.followers.retain(|(known, _)| *known != id);
                if state.followers.is_empty() && state.expires_ms <= now {
                    topics.remove(topic);
                }
            }
        }
    }

    /// Forgets what expired and tells the followers. To be called every few seconds.
    ///
    /// # Errors
    /// [`Refusal`] if the store fails.
    pub async fn expire(&self) -> Result<(), Refusal> {
        let now = now_ms();
        let mut told: Vec<(Topic, Vec<Arc<dyn Follower>>)> = Vec::new();
        self.topics().retain(|topic, state| {
            if state.expires_ms > now {
                return true;
            }
            if !state.value.is_empty() {
                state.value = Bytes::new();
                let followers = state
                    .followers
                    .iter()
                    .filter_map(|(_, follower)| follower.upgrade());
                told.push((*topic, followers.collect()));
            }
            !state.followers.is_empty()
        });
        self.store
            .write(move |connection| -> Result<(), Refusal> {
                connection
                    .prepare_cached("DELETE FROM presence WHERE expires_ms <= ?1")?
                    .execute(params![to_sql(now)])?;
                Ok(())
            })
            .await?;
        for (topic, followers) in told {
            for follower in followers {
                follower.presence_changed(value_of(topic, Bytes::new()));
            }
        }
        Ok(())
    }
}

fn value_of(topic: Topic, value: Bytes) -> PresenceValue {
    PresenceValue {
        topic: Bytes::copy_from_slice(&topic),
        value,
    }
}
