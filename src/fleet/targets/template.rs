//! The pattern by which the fields of a service are read from a pod.

use std::fmt;
use std::str::FromStr;

use super::ServiceFields;
use super::commit::tidy_commit;
use crate::names::printable;

/// A pattern of the form `<env>_<region>_<app>_<branch>_<commit>`, with values of a pod in braces.
///
/// The parts are told apart before the values are put in, so a value may hold `_`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceTemplate {
    env: Vec<Piece>,
    region: Vec<Piece>,
    app: Vec<Piece>,
    branch: Vec<Piece>,
    commit: Vec<Piece>,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Value(Value),
}

/// A value of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Namespace,
    Name,
    Label(String),
    Annotation(String),
}

/// A template that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is no template: {fault}", printable(.template))]
pub(crate) struct TemplateError {
    template: String,
    fault: TemplateFault,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum TemplateFault {
    Unclosed,
    UnknownValue(String),
    TooFewParts(usize),
}

impl fmt::Display for TemplateFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unclosed => out.write_str("a brace has no partner"),
            Self::UnknownValue(found) => write!(
                out,
                "{{{}}} is no value, expected {{namespace}}, {{name}}, {{label:NAME}} or {{annotation:NAME}}",
                printable(found)
            ),
            Self::TooFewParts(found) => write!(
                out,
                "it has {found} parts, expected env, region, app, branch and commit, joined by \"_\""
            ),
        }
    }
}

impl Default for ServiceTemplate {
    fn default() -> Self {
        let default = "{namespace}_{label:region}_{label:app.kubernetes.io/name}_{label:branch}_{annotation:goc-watchdog/commit}";
        default.parse().expect("the default is a template")
    }
}

impl FromStr for ServiceTemplate {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        parse(text).map_err(|fault| TemplateError { template: text.to_owned(), fault })
    }
}

fn parse(text: &str) -> Result<ServiceTemplate, TemplateFault> {
    let mut parts: Vec<Vec<Piece>> = vec![Vec::new()];
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}', '_']) {
        let (before, found) = rest.split_at(at);
        let part = parts.last_mut().expect("there is a part from the start");
        if !before.is_empty() {
            part.push(Piece::Text(before.to_owned()));
        }
        rest = &found[1..];
        match found.as_bytes()[0] {
            b'_' => parts.push(Vec::new()),
            b'{' => {
                let (value, behind) = rest.split_once('}').ok_or(TemplateFault::Unclosed)?;
                part.push(Piece::Value(value_named(value)?));
                rest = behind;
            }
            _ => return Err(TemplateFault::Unclosed),
        }
    }
    if !rest.is_empty() {
        parts.last_mut().expect("there is a part from the start").push(Piece::Text(rest.to_owned()));
    }
    // The app lies between the first two parts and the last two, as in a registered name.
    let number = parts.len();
    let mut parts = parts.into_iter();
    let (Some(env), Some(region), Some(commit), Some(branch)) =
        (parts.next(), parts.next(), parts.next_back(), parts.next_back())
    else {
        return Err(TemplateFault::TooFewParts(number));
    };
    let underscore = [Piece::Text("_".to_owned())];
    let app: Vec<Vec<Piece>> = parts.collect();
    match app.is_empty() {
        true => Err(TemplateFault::TooFewParts(number)),
        false => Ok(ServiceTemplate { env, region, app: app.join(&underscore[..]), branch, commit }),
    }
}

fn value_named(name: &str) -> Result<Value, TemplateFault> {
    match name.split_once(':') {
        None if name == "namespace" => Ok(Value::Namespace),
        None if name == "name" => Ok(Value::Name),
        Some(("label", label)) if !label.is_empty() => Ok(Value::Label(label.to_owned())),
        Some(("annotation", annotation)) if !annotation.is_empty() => {
            Ok(Value::Annotation(annotation.to_owned()))
        }
        _ => Err(TemplateFault::UnknownValue(name.to_owned())),
    }
}

impl ServiceTemplate {
    /// Returns the fields of a pod, whose values `lookup` returns; `None` for an absent one, which is empty.
    pub(super) fn fields<'p, E>(
        &self,
        lookup: impl Fn(&Value) -> Result<Option<&'p str>, E>,
    ) -> Result<ServiceFields, E> {
        let join = |pieces: &[Piece]| joined(pieces, &lookup);
        Ok(ServiceFields {
            env: join(&self.env)?,
            region: join(&self.region)?,
            app: join(&self.app)?,
            branch: join(&self.branch)?,
            commit: tidy_commit(&join(&self.commit)?),
        })
    }

    /// Returns the text that a pod has for its commit, and which may be none; `None` where the template takes it from no
    /// value of the pod.
    pub(super) fn commit_text<'p, E>(
        &self,
        lookup: impl Fn(&Value) -> Result<Option<&'p str>, E>,
    ) -> Result<Option<String>, E> {
        let has_value = self.commit.iter().any(|piece| matches!(piece, Piece::Value(_)));
        has_value.then(|| joined(&self.commit, &lookup)).transpose()
    }

    /// Tells whether an annotation is a value of the template.
    pub(super) fn uses_annotation(&self, name: &str) -> bool {
        let is_it = |piece: &Piece| matches!(piece, Piece::Value(Value::Annotation(used)) if used == name);
        [&self.env, &self.region, &self.app, &self.branch, &self.commit]
            .into_iter()
            .any(|part| part.iter().any(is_it))
    }
}

fn joined<'p, E>(
    pieces: &[Piece],
    lookup: &impl Fn(&Value) -> Result<Option<&'p str>, E>,
) -> Result<String, E> {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => Ok(text.clone()),
        Piece::Value(value) => lookup(value).map(|found| found.unwrap_or_default().to_owned()),
    };
    pieces.iter().map(piece).collect()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    /// The fields that a template reads from a pod of namespace `staging` with these labels and annotations.
    fn fields(template: &str, values: &[(&str, &str)]) -> [String; 5] {
        let template: ServiceTemplate = template.parse().unwrap();
        let lookup = |value: &Value| {
            let name = match value {
                Value::Namespace => return Ok::<_, Infallible>(Some("staging")),
                Value::Name => return Ok(Some("echo-7f")),
                Value::Label(name) | Value::Annotation(name) => name,
            };
            Ok(values.iter().find(|(known, _)| known == name).map(|(_, value)| *value))
        };
        let Ok(ServiceFields { env, region, app, branch, commit }) = template.fields(lookup);
        [env, region, app, branch, commit]
    }

    #[test]
    fn the_default_reads_namespace_labels_and_the_commit_of_an_annotation() {
        let values = [
            ("region", "th"),
            ("app.kubernetes.io/name", "apa_goc"),
            ("branch", "feature_x"),
            ("goc-watchdog/commit", "845820727E"),
        ];
        let default = "{namespace}_{label:region}_{label:app.kubernetes.io/name}_{label:branch}_{annotation:goc-watchdog/commit}";
        assert_eq!(default.parse(), Ok(ServiceTemplate::default()));
        assert_eq!(fields(default, &values), ["staging", "th", "apa_goc", "feature_x", "845820727e"]);
        assert_eq!(fields(default, &[]), ["staging", "", "", "", ""]);
    }

    #[test]
    fn text_and_values_make_a_part_together_and_the_app_may_have_several() {
        let values = [("app", "echo"), ("commit", "1234567")];
        let template = "test-{namespace}_sg_apa_goc-{label:app}_{name}_{label:commit}";
        assert_eq!(fields(template, &values), ["test-staging", "sg", "apa_goc-echo", "echo-7f", "1234567"]);
        assert_eq!(fields("____", &[]), [""; 5]);
        assert_eq!(fields("a_b_c_d_e_main_nocommit", &[]), ["a", "b", "c_d_e", "main", ""]);
    }

    #[test]
    fn an_unusable_template_says_why() {
        let fault = |template: &str| template.parse::<ServiceTemplate>().unwrap_err().to_string();
        assert_eq!(
            fault("{namespace}_{label:x}"),
            "\"{namespace}_{label:x}\" is no template: it has 2 parts, expected env, region, app, branch and commit, \
             joined by \"_\""
        );
        assert!(fault("a_b_c_d").contains("it has 4 parts"));
        assert_eq!(fault("{a_b_c_d_e"), "\"{a_b_c_d_e\" is no template: a brace has no partner");
        assert!(fault("a}_b_c_d_e").ends_with("a brace has no partner"));
        for unknown in ["x", "label:", "", "name:x", "namespace:x"] {
            let expected = format!("{{{unknown}}} is no value, expected {{namespace}}, {{name}}, ");
            assert!(fault(&format!("{{{unknown}}}_b_c_d_e")).contains(&expected), "{unknown}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_template_or_says_why(text in "[a_{}:é]{0,20}") {
            // No value has a name of these letters, so that the first brace is a fault.
            let fault = match text.split_once(['{', '}']) {
                None => {
                    let parts = text.split('_').count();
                    (parts < 5).then(|| {
                        format!("it has {parts} parts, expected env, region, app, branch and commit, joined by \"_\"")
                    })
                }
                Some((before, behind)) => Some(match behind.split_once('}') {
                    Some((value, _)) if text[before.len()..].starts_with('{') => format!(
                        "{{{}}} is no value, expected {{namespace}}, {{name}}, {{label:NAME}} or {{annotation:NAME}}",
                        printable(value)
                    ),
                    _ => "a brace has no partner".to_owned(),
                }),
            };
            let expected = fault.map(|fault| format!("\"{}\" is no template: {fault}", printable(&text)));
            match text.parse::<ServiceTemplate>() {
                Ok(template) => {
                    prop_assert_eq!(expected, None);
                    let Ok(fields) = template.fields(|_| Ok::<_, Infallible>(Some("x")));
                    let ServiceFields { env, region, app, branch, .. } = fields;
                    // The commit is in the text as well, and is none.
                    let parts: Vec<&str> = text.split('_').collect();
                    let [first, second, between @ .., fourth, _] = &parts[..] else { panic!("{text}") };
                    let between = between.join("_");
                    prop_assert_eq!([&*env, &region, &app, &branch], [*first, second, &between, fourth]);
                }
                Err(error) => prop_assert_eq!(Some(error.to_string()), expected),
            }
        }
    }
}
