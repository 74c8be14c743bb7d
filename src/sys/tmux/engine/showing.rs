//! What is shown: by the view, and by tmux's options.

use std::mem::{discriminant, take};
use std::time::Duration;

use super::super::options;
use super::super::pane::Pane;
use super::{Question, View, Watch};
use crate::tmux::watched::{Happened, Standing, Watched};

/// A client with so many open questions is stuck, or busy: what is shown can wait.
const BUSY: usize = 16;

impl Watch {
    /// When a countdown shows its next second.
    pub(super) fn next_second(&self) -> Option<Duration> {
        let now = self.shared.clock.now().elapsed;
        let next = |pane: &Pane| match pane.standing(&self.shared) {
            Standing::Waiting { left, .. } => {
                let part = Duration::from_nanos(u64::from(left.subsec_nanos()));
                // Just past the whole second: it is rounded up.
                Some(now + part + Duration::from_millis(1))
            }
            _ => None,
        };
        self.panes.values().filter_map(next).min()
    }

    /// Brings all that is shown up to date.
    pub(super) fn show<V: View>(&mut self, view: &mut V) {
        for mut pane in take(&mut self.left) {
            let watched = pane.watched(&self.shared);
            self.shown.retain(|shown| shown.pane != watched.pane);
            for what in take(&mut pane.news) {
                view.happened(&watched, &what);
            }
            self.redraw = true;
        }
        let mut panes: Vec<(Watched, Vec<Happened>)> = Vec::new();
        let mut order: Vec<&mut Pane> = self.panes.values_mut().collect();
        order.retain(|pane| pane.has_begun());
        order.sort_by(|a, b| a.place.order.cmp(&b.place.order));
        for pane in order {
            let news = take(&mut pane.news);
            panes.push((pane.watched(&self.shared), news));
        }
        for (pane, news) in &panes {
            let before = self.shown.iter().find(|shown| shown.pane == pane.pane);
            for what in news {
                view.happened(pane, what);
            }
            let was = before.map_or(&Standing::Watching, |shown| &shown.standing);
            if is_news(was, &pane.standing) {
                view.happened(pane, &Happened::Changed);
            }
        }
        let panes: Vec<Watched> = panes.into_iter().map(|(pane, _)| pane).collect();
        self.set_options(&panes);
        if take(&mut self.redraw) || differ(&self.shown, &panes) {
            view.show(&panes);
            self.shown = panes;
        }
    }

    fn set_options(&mut self, panes: &[Watched]) {
        for watched in panes {
            let text = options::text(&watched.standing);
            let Some(pane) = self.panes.get(&watched.pane) else {
                continue;
            };
            if pane.option == text {
                continue;
            }
            let Some(client) = self.client_of(watched.pane) else {
                continue;
            };
            if client.open() > BUSY {
                continue;
            }
            let command = options::of_pane(watched.pane, text.as_deref());
            client.ask(&command, Question::Option);
            if let Some(pane) = self.panes.get_mut(&watched.pane) {
                pane.option = text;
            }
        }
        let summary = options::summary(panes);
        if summary != self.summary
            && let Some(client) = self.clients.values_mut().next()
            && client.open() <= BUSY
        {
            let command = options::of_all(self.scope.session(), summary.as_deref());
            client.ask(&command, Question::Option);
            self.summary = summary;
        }
    }
}

/// Is it another standing, and not another second of the same?
fn is_news(was: &Standing, is: &Standing) -> bool {
    match (was, is) {
        // Nothing to be said of either.
        (Standing::Watching | Standing::Confirming, Standing::Watching | Standing::Confirming) => {
            false
        }
        (Standing::Waiting { attempt: a, .. }, Standing::Waiting { attempt: b, .. }) => a != b,
        (was, is) => discriminant(was) != discriminant(is) || was != is,
    }
}

/// Do they show otherwise? A countdown does by the second.
fn differ(a: &[Watched], b: &[Watched]) -> bool {
    let seen = |panes: &[Watched]| -> Vec<(Watched, Option<String>)> {
        let one = |pane: &Watched| {
            let text = pane.standing.text();
            let mut pane = pane.clone();
            if let Standing::Waiting { left, .. } = &mut pane.standing {
                *left = Duration::ZERO;
            }
            (pane, text)
        };
        panes.iter().map(one).collect()
    };
    seen(a) != seen(b)
}
