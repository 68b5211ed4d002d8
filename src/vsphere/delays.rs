//! How long replies are held back and how long tasks run, as the settings say.
//!
//! Both kinds of delay pass in the simulated time. While that stands still, a
//! reply that is held back comes only when somebody else steps the clock: so
//! the delay for all calls then holds back no replies, or nobody could even log
//! in who would do the stepping afterwards. A delay that names its method holds
//! back replies always; it is for tests that have two hands. Tasks take their
//! time under either clock.

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
    /// task methods with `_Task`, or else by the delay for all calls, if time
    /// passes by itself.
    pub(super) fn reply(&self, method: Method, ids: &Ids, stepped: bool) -> Duration {
        if self.all.is_zero() && self.by_name.is_empty() {
            return Duration::ZERO;
        }
        let named = if method.is_task() {
            self.named(&[method.name()]).filter(|_| method.name().ends_with("_Task"))
        } else {
            self.named(&[method.name(), method.vmodl()])
        };
        let all = if stepped { Duration::ZERO } else { self.all };
        self.spread(named.unwrap_or(all), ids)
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

    /// How long something runs that is no method of vSphere.
    pub(super) fn of(&self, name: &str, ids: &Ids) -> Duration {
        self.spread(self.named(&[name]).unwrap_or(self.all), ids)
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
        let reply = |method| delays.reply(method, &ids, false);
        assert_eq!(reply(method::PowerOffVM_Task), ms(0));
        assert_eq!(delays.task(method::PowerOnVM_Task, &ids), ms(2));
        assert_eq!(reply(method::PowerOnVM_Task), ms(3));
        assert_eq!(reply(method::CurrentTime), ms(4));
        assert_eq!(reply(method::Logout), ms(0));
    }

    #[test]
    fn while_time_stands_still_only_named_delays_hold_replies_back() {
        let ids = Ids::seeded(1);
        let ms = Duration::from_millis;
        let delays = Delays::new(&config::Delays {
            all: ms(50),
            methods: vec![("CurrentTime".to_owned(), ms(4))],
            ..config::Delays::default()
        });
        for (method, flowing, standing) in
            [(method::Login, ms(50), ms(0)), (method::CurrentTime, ms(4), ms(4))]
        {
            assert_eq!(delays.reply(method, &ids, false), flowing, "{method}");
            assert_eq!(delays.reply(method, &ids, true), standing, "{method}");
        }
        assert_eq!(delays.task(method::PowerOffVM_Task, &ids), ms(50));
    }
}
