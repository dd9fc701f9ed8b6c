//! The page that `report --format html` writes.

use std::path::PathBuf;

use crate::harness::World;
use crate::harness::source::{Source, repository};
use crate::sim::Agent;

const CART: &str = "package cart

import \"errors\"

// Cart holds what a customer wants.
type Cart struct {
\titems []Item // in the order they came
\ttotal int
}

var errEmpty = errors.New(\"nothing in the cart: \\\"add\\\" comes first\")

/* Add puts an item
   into the cart. */
func (c *Cart) Add(item Item) {
\tif item.Price < 0 { item.Price = 0 }
\tc.items = append(c.items, item)
\tc.total += item.Price
}

func (c *Cart) Checkout(pay func(int) error) error {
\tif len(c.items) == 0 {
\t\treturn errEmpty
\t}
\tif err := pay(c.total); err != nil {
\t\treturn err
\t}

\tfor i := range c.items {
\t\tc.items[i].Sold = true
\t}
\treturn nil
}

func (c *Cart) Clear() {
\tc.items = nil
\tc.total = 0
}
";

const MAIN: &str = "package main

func main() {
\trun(`größer
als`, 0x2a)
}
";

/// Columns that a reader can count: the `if` of line 16 holds a block of its own from `{` to `}`.
const PROFILE: &str = "example.com/app/cart/cart.go:15.31,16.20 1 2500
example.com/app/cart/cart.go:16.20,16.39 1 0
example.com/app/cart/cart.go:17.2,18.20 2 2500
example.com/app/cart/cart.go:21.52,22.23 1 3
example.com/app/cart/cart.go:22.23,24.3 1 0
example.com/app/cart/cart.go:25.2,25.42 2 3
example.com/app/cart/cart.go:25.42,27.3 1 0
example.com/app/cart/cart.go:29.2,29.25 1 3
example.com/app/cart/cart.go:29.25,31.3 1 1
example.com/app/cart/cart.go:32.2,32.12 1 3
example.com/app/cart/cart.go:35.24,38.2 2 0
example.com/app/main.go:3.13,6.2 1 1
example.com/app/made/up.go:3.13,9.2 4 0
example.com/app/made/up.go:12.2,14.20 1 7
";

/// A service whose page was written, twice pulled.
struct Served {
    world: World,
    _source: Source,
    agent: Agent,
}

impl Served {
    fn of(files: &[(&str, &[u8])], profile: &str) -> Self {
        let source = Source::of(files);
        let world = World::new();
        let agent = world.start_counted(&source.service(), profile);
        world.pull(0);
        source.clone_into(&world, &["--bare"]);
        Self { world, _source: source, agent }
    }

    fn of_cart() -> Self {
        let files: [(&str, &[u8]); 3] = [
            ("cart/cart.go", CART.as_bytes()),
            ("main.go", MAIN.as_bytes()),
            ("go.mod", b"module example.com/app\n"),
        ];
        let served = Self::of(&files, PROFILE);
        served.agent.hit(&[10], 4);
        served.world.pull(0);
        served
    }

    fn page(&self) -> PathBuf {
        let page = self.world.home().join("page.html");
        let form = format!("html={}", page.display());
        self.world.run(&["report", "app", "-q", "--format", &form]).ended(0);
        page
    }
}

#[test]
fn the_page_is_kept_beside_its_profile_unless_it_is_of_a_part() {
    let served = Served::of_cart();
    let kept = |served: &Served| served.world.files("_report.html");
    served.world.run(&["report", "app", "-q", "--exclude", "made", "--format", "html"]).ended(0);
    assert_eq!(kept(&served), [] as [PathBuf; 0]);
    let page = std::fs::read(served.page()).unwrap();
    let [stored] = &kept(&served)[..] else { panic!("one page") };
    assert!(stored.ends_with("app/cov_data/app_2_report.html"), "{}", stored.display());
    assert!(std::fs::read(stored).unwrap() == page);
}

#[test]
fn a_page_without_source_is_whole_but_not_kept() {
    let served = Served::of_cart();
    std::fs::remove_dir_all(repository(&served.world)).unwrap();
    let said = served.world.run(&["report", "app", "-q", "--format", "html"]).ended(3);
    assert!(said.stdout.contains("No source was read"), "{}", said.stdout);
    assert_eq!(served.world.files("_report.html"), [] as [PathBuf; 0]);
}
