//! The buttons in the form of a poll that add, move and remove questions and options.

use super::questions::{Line, TypedQuestion, lines, numbered};
use crate::polls::definition::{MAX_OPTIONS, MAX_QUESTIONS};
use crate::web::{Problem, RawForm};

/// What the pressed button asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    Save,
    Preview,
    AddQuestion,
    RemoveQuestion(usize),
    /// Moves the question up by one.
    RaiseQuestion(usize),
    AddOption(usize),
    RemoveOption(usize, usize),
    RaiseOption(usize, usize),
    DropPicture(usize, usize),
}

impl Then {
    /// # Errors
    /// A 400 when several buttons were pressed at once.
    pub fn read(form: &RawForm) -> Result<Self, Problem> {
        // Pressing Enter activates the first submit button of the form; the page puts a hidden "save" there.
        let pressed = form.one("then")?.unwrap_or("save");
        let mut words = pressed.split('.');
        let act = words.next().unwrap_or_default();
        let numbers: Option<Vec<usize>> = words.map(|n| n.parse().ok()).collect();
        Ok(match (act, numbers.as_deref()) {
            ("preview", Some([])) => Self::Preview,
            ("add-question", Some([])) => Self::AddQuestion,
            ("remove-question", Some(&[q])) => Self::RemoveQuestion(q),
            ("raise-question", Some(&[q])) => Self::RaiseQuestion(q),
            ("add", Some(&[q])) => Self::AddOption(q),
            ("remove", Some(&[q, o])) => Self::RemoveOption(q, o),
            ("raise", Some(&[q, o])) => Self::RaiseOption(q, o),
            ("drop-picture", Some(&[q, o])) => Self::DropPicture(q, o),
            _ => Self::Save,
        })
    }
}

/// The questions after a button was pressed.
pub fn changed(mut questions: Vec<TypedQuestion>, then: Then) -> Vec<TypedQuestion> {
    match then {
        Then::AddQuestion if questions.len() < MAX_QUESTIONS => {
            questions.push(TypedQuestion::empty());
        }
        Then::RemoveQuestion(q) if (1..=questions.len()).contains(&q) && questions.len() > 1 => {
            questions.remove(q - 1);
        }
        Then::RaiseQuestion(q) if (2..=questions.len()).contains(&q) => {
            questions.swap(q - 2, q - 1);
        }
        Then::AddOption(q)
        | Then::RemoveOption(q, _)
        | Then::RaiseOption(q, _)
        | Then::DropPicture(q, _) => {
            let at = q.checked_sub(1);
            if let Some(question) = at.and_then(|at| questions.get_mut(at)) {
                question.change_lines(then);
            }
        }
        _ => {}
    }
    numbered(questions)
}

impl TypedQuestion {
    fn change_lines(&mut self, then: Then) {
        let options = &mut self.options;
        match then {
            Then::AddOption(_) if options.len() < MAX_OPTIONS => options.push(Line::default()),
            Then::RemoveOption(_, o) if (1..=options.len()).contains(&o) && options.len() > 1 => {
                options.remove(o - 1);
            }
            Then::RaiseOption(_, o) if (2..=options.len()).contains(&o) => {
                options.swap(o - 2, o - 1)
            }
            Then::DropPicture(_, o) => {
                if let Some(line) = o.checked_sub(1).and_then(|at| options.get_mut(at)) {
                    (line.picture, line.alt, line.size) = Default::default();
                }
            }
            _ => {}
        }
        self.options = lines(std::mem::take(&mut self.options));
    }
}

#[cfg(test)]
mod tests {
    use super::super::questions::tests::two;
    use super::*;

    fn labels(question: &TypedQuestion) -> Vec<&str> {
        question
            .options
            .iter()
            .map(|line| line.label.as_str())
            .collect()
    }

    #[test]
    fn lines_and_questions_come_go_and_move() {
        let questions = changed(two(), Then::AddOption(1));
        assert_eq!(labels(&questions[0]), ["Yes", "No", ""]);
        let questions = changed(questions, Then::RaiseOption(1, 2));
        assert_eq!(labels(&questions[0]), ["No", "Yes", ""]);
        let questions = changed(questions, Then::RemoveOption(1, 1));
        assert_eq!(labels(&questions[0]), ["Yes", ""]);
        assert_eq!(questions[0].options[0].number, 1);
        let questions = changed(questions, Then::RaiseQuestion(2));
        assert_eq!(
            (questions[0].text.as_str(), questions[0].number),
            ("Second?", 1)
        );
        let questions = changed(questions, Then::RemoveQuestion(1));
        assert_eq!(questions.len(), 1);
        for odd in [
            Then::RemoveQuestion(1),
            Then::RemoveQuestion(9),
            Then::RaiseQuestion(1),
            Then::RaiseQuestion(0),
            Then::RaiseOption(1, 0),
            Then::RemoveOption(0, 1),
            Then::RemoveOption(9, 9),
            Then::DropPicture(1, 0),
            Then::AddOption(usize::MAX),
        ] {
            assert_eq!(
                labels(&changed(questions.clone(), odd)[0]),
                ["Yes", ""],
                "{odd:?}"
            );
        }
        let mut many = two();
        for _ in 0..30 {
            many = changed(many, Then::AddQuestion);
        }
        assert_eq!(many.len(), MAX_QUESTIONS);
    }

    #[test]
    fn buttons_are_read_and_nonsense_saves() {
        let pressed = |then: &str| {
            Then::read(&RawForm::parse(format!("then={then}").as_bytes()).expect("a form"))
        };
        assert_eq!(pressed("remove.2.10").ok(), Some(Then::RemoveOption(2, 10)));
        assert_eq!(
            pressed("raise-question.3").ok(),
            Some(Then::RaiseQuestion(3))
        );
        for odd in [
            "",
            "remove",
            "remove.1",
            "remove.x.y",
            "add.-1",
            "add.99999999999999999999999",
            "raise.1.2.3",
        ] {
            assert_eq!(pressed(odd).ok(), Some(Then::Save), "{odd}");
        }
    }
}
