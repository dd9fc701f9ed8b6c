//! Faults of a Go text that are seen without its grammar. Go's compiler finds more.

use memchr::memchr_iter;

use super::extents::SyntaxError;
use super::tokens::{Piece, for_each_token};

/// Finds an operator that lacks an operand, as in `x := := 1`, or in a template for Go text.
pub(super) fn operand_fault(text: &[u8]) -> Option<SyntaxError> {
    let mut before: &[u8] = b"";
    let mut fault = None;
    for_each_token(text, (0, text.len()), |piece| {
        let Piece::Token { at, text: token } = piece else { return };
        if fault.is_none() && needs_operand(before) && cannot_begin_operand(token) {
            fault = Some(at);
        }
        before = token;
    });
    let line = |at| 1 + memchr_iter(b'\n', &text[..at]).count();
    fault.map(|at| SyntaxError { line: line(at), reason: "an operator without its operand" })
}

/// Tells whether a token is an operator between two operands, or an assignment.
fn is_between_operands(token: &[u8]) -> bool {
    matches!(
        token,
        b"=" | b":="
            | b"+="
            | b"-="
            | b"*="
            | b"/="
            | b"%="
            | b"&="
            | b"|="
            | b"^="
            | b"<<="
            | b">>="
            | b"&^="
            | b"&&"
            | b"||"
            | b"=="
            | b"!="
            | b"<="
            | b">="
            | b"<"
            | b">"
            | b"<<"
            | b">>"
            | b"&^"
            | b"/"
            | b"%"
            | b"|"
    )
}

/// Tells whether an operand has to follow a token.
fn needs_operand(token: &[u8]) -> bool {
    is_between_operands(token) || matches!(token, b"+" | b"-" | b"*" | b"&" | b"^" | b"!")
}

/// Tells whether no operand begins with a token.
fn cannot_begin_operand(token: &[u8]) -> bool {
    is_between_operands(token) || matches!(token, b")" | b"]" | b"}" | b"{" | b"," | b";" | b":" | b".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_without_its_operand_is_found_with_its_line() {
        for (code, line) in [
            ("x := := 3", Some(2)),
            ("x := {{.Value}}", Some(2)),
            ("\n\tf(a +)", Some(3)),
            ("x = a <", Some(3)),
            ("x = a ==;", Some(2)),
            ("x := <-c; var d chan<- int; y := -x * -*p; z := &T{1}; w := !<-b && ^1 == 2", None),
            (
                "_ = []*T{}; var _ interface{ ~int | *T }; f(x...); a[1:], *b = 1, 2; i++; for i = 0; ; {}",
                None,
            ),
            ("// a := := b\n\t_ = `=  =` + \"&& &&\"", None),
        ] {
            let text = format!("package p\nfunc f() {{ {code}\n}}\n");
            assert_eq!(operand_fault(text.as_bytes()).map(|fault| fault.line), line, "{code}");
        }
    }
}
