//! How long replies are held back and how long tasks run, as the settings say.

use std::time::Duration;

use crate::config;
use crate::ids::Ids;
use crate::schema::Method;

/// The delays of a configuration, by method.
#[derive(Debug)]
pub(super) struct Delays {
    all: Duration,
    jitter: f64,
    /// Names in lower case: with `_task` for replies, without for tasks.
    by_name: Vec<(String, Duration)>,
}

impl Delays {
    pub(super) fn new(settings: &config::Delays) -> Self {
        let lower = |(name, delay): &(String, Duration)| (name.to_ascii_lowercase(), *delay);
        Self {
            all: settings.all,
            jitter: settings.jitter,
            by_name: settings.methods.iter().map(lower).collect(),
        }
    }

    fn named(&self, names: &[&str]) -> Option<Duration> {
        let matches = |held: &str| names.iter().any(|name| held.eq_ignore_ascii_case(name));
        self.by_name.iter().rev().find(|(held, _)| matches(held)).map(|(_, delay)| *delay)
    }

    /// How long the reply to a call of `method` is held back: as named, for
    /// task methods with `_Task`, or else by the delay for all calls.
    pub(super) fn reply(&self, method: Method, ids: &Ids) -> Duration {
        if self.all.is_zero() && self.by_name.is_empty() {
            return Duration::ZERO;
        }
        let named = if method.is_task() {
            self.named(&[method.name()]).filter(|_| method.name().ends_with("_Task"))
        } else {
            self.named(&[method.name(), method.vmodl()])
        };
        self.spread(named.unwrap_or(self.all), ids)
    }

    /// How long the task of `method` runs: as named without `_Task`, by the
    /// WSDL or the vmodl name, or else by the delay for all.
    pub(super) fn task(&self, method: Method, ids: &Ids) -> Duration {
        if self.all.is_zero() && self.by_name.is_empty() {
            return Duration::ZERO;
        }
        let name = method.name();
        let short = name.strip_suffix("_Task").unwrap_or(name);
        self.spread(self.named(&[short, method.vmodl()]).unwrap_or(self.all), ids)
    }

    fn spread(&self, delay: Duration, ids: &Ids) -> Duration {
        ids.jitter(delay, self.jitter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::method;

    #[test]
    fn names_with_task_delay_the_reply_and_names_without_it_the_task() {
        let ids = Ids::seeded(1);
        let ms = Duration::from_millis;
        let delays = Delays::new(&config::Delays {
            methods: vec![
                ("PowerOffVM".to_owned(), ms(1)),
                ("powerOn".to_owned(), ms(2)),
                ("PowerOnVM_Task".to_owned(), ms(3)),
                ("CurrentTime".to_owned(), ms(4)),
            ],
            ..config::Delays::default()
        });
        assert_eq!(delays.task(method::PowerOffVM_Task, &ids), ms(1));
        assert_eq!(delays.reply(method::PowerOffVM_Task, &ids), ms(0));
        assert_eq!(delays.task(method::PowerOnVM_Task, &ids), ms(2));
        assert_eq!(delays.reply(method::PowerOnVM_Task, &ids), ms(3));
        assert_eq!(delays.reply(method::CurrentTime, &ids), ms(4));
        assert_eq!(delays.reply(method::Logout, &ids), ms(0));
    }
}
