//! What people are called, and who is meant by a name.

use std::collections::BTreeMap;

use hushpost::{AccountId, ConversationId};

use crate::model::Person;
use crate::state::State;

/// Characters of an account id that stand for somebody without a name.
const ID_CHARS: usize = 8;

/// Everybody this device has a name for.
#[derive(Debug, Default)]
pub(crate) struct People(BTreeMap<AccountId, Person>);

impl People {
    pub(crate) fn new(people: Vec<Person>) -> Self {
        let nameless = |person: &Person| crate::model::name(None, person.account);
        let named = people
            .into_iter()
            .filter(|person| person.name != nameless(person));
        Self(named.map(|person| (person.account, person)).collect())
    }

    /// The name, or the beginning of the account id.
    pub(crate) fn name(&self, account: AccountId) -> String {
        let known = self.0.get(&account).map(|person| person.name.as_str());
        crate::model::name(known, account)
    }

    /// Who is meant: by account id, by the name that is shown, by user name. `None`: nobody known.
    fn find(&self, who: &str) -> Result<Option<AccountId>, String> {
        if let Ok(account) = who.parse::<AccountId>() {
            return Ok(Some(account));
        }
        let meant =
            |person: &&Person| person.name == who || person.user_name.as_deref() == Some(who);
        let mut found = self.0.values().filter(meant);
        match (found.next(), found.next()) {
            (Some(_), Some(_)) => Err(format!("{who} may mean two people: say the account id")),
            (found, _) => Ok(found.map(|person| person.account)),
        }
    }

    /// Who is meant, of these.
    pub(crate) fn find_among(&self, who: &str, some: &[AccountId]) -> Result<AccountId, String> {
        let who = who.strip_prefix('@').unwrap_or(who);
        let called = |account: &&AccountId| self.name(**account) == who;
        let begins =
            |account: &&AccountId| who.len() >= ID_CHARS && account.to_string().starts_with(who);
        let mut found = some.iter().filter(called);
        match (found.next(), found.next()) {
            (Some(account), None) => return Ok(*account),
            (Some(_), Some(_)) => {
                return Err(format!("{who} may mean two people: say the account id"));
            }
            _ => {}
        }
        if let Some(account) = some.iter().find(begins) {
            return Ok(*account);
        }
        match self.find(who)? {
            Some(account) if some.contains(&account) => Ok(account),
            _ => Err(format!("{who} is not among them")),
        }
    }
}

impl State {
    /// Those of these people who are known, and the names of the others.
    pub(super) fn sort_out(&self, who: &[String]) -> Result<(Vec<AccountId>, Vec<String>), String> {
        let (mut known, mut names) = (Vec::new(), Vec::new());
        for who in who {
            let who = who.strip_prefix('@').unwrap_or(who);
            match self.people.find(who)? {
                Some(account) if Some(account) == self.me => {
                    return Err("you are in anyway".to_owned());
                }
                Some(account) => known.push(account),
                None => names.push(who.to_owned()),
            }
        }
        known.sort_unstable();
        known.dedup();
        Ok((known, names))
    }

    /// The conversation that is called so.
    pub(super) fn conversation_called(&self, name: &str) -> Result<ConversationId, String> {
        let name = name.strip_prefix('@').unwrap_or(name);
        let person = self.people.find(name)?;
        let meant = person.and_then(|person| self.list.with(person));
        if let Some(entry) = meant {
            return Ok(entry.id);
        }
        let mut called = self.list.all().filter(|entry| entry.name == name);
        match (called.next(), called.next()) {
            (Some(entry), None) => Ok(entry.id),
            (Some(_), Some(_)) => Err(format!("two conversations are called {name}")),
            _ => Err(format!("no conversation is called {name}: /new first")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(seed: u8, name: &str, user_name: Option<&str>) -> Person {
        Person {
            account: AccountId::of_key(&[seed; 32]),
            name: name.to_owned(),
            user_name: user_name.map(str::to_owned),
            verified: false,
            change_pending: false,
            blocked: false,
        }
    }

    #[test]
    fn a_name_means_one_person_or_is_asked_about() {
        let id = |seed| AccountId::of_key(&[seed; 32]);
        let people = People::new(vec![
            person(1, "Bob from work", Some("bob")),
            person(2, "carol", None),
            person(3, "carol", Some("carol_3")),
            person(4, "eve", Some("carol_5")),
        ]);
        assert_eq!(people.find("bob"), Ok(Some(id(1))));
        assert_eq!(people.find("Bob from work"), Ok(Some(id(1))));
        assert!(people.find("carol").is_err());
        assert_eq!(people.find("carol_3"), Ok(Some(id(3))));
        assert_eq!(people.find("dave"), Ok(None));
        assert_eq!(people.find(&id(9).to_string()), Ok(Some(id(9))));
        assert_eq!(people.find_among("carol", &[id(1), id(2)]), Ok(id(2)));
        assert!(people.find_among("carol", &[id(2), id(3)]).is_err());
        assert!(people.find_among("bob", &[id(2)]).is_err());
        let short: String = id(9).to_string().chars().take(8).collect();
        assert_eq!(people.find_among(&short, &[id(9)]), Ok(id(9)));
        assert_eq!(people.name(id(9)), short);
    }
}
