//! The page of an app on a phone, and the links of a site to the host of a repository.

use serde_json::json;

use crate::harness::World;
use crate::harness::browser::Browser;
use crate::harness::screens::on_each_screen;
use crate::site::{profile, site_folder, write_site};
use crate::site_view::assert_nothing_sticks_out;

const LONG: &str = "a_service_with_a_name_that_needs_more_than_one_line_of_a_phone";

/// Writes the site of two apps with several commits, one of them with a link to a host.
fn two_apps() -> World {
    let world = World::new();
    for commit in ["1111111111", "2222222222", "3333333333"] {
        for (place, app, covered) in [("staging_th", "pay", 5), ("prod_sg", "pay", 8), ("prod_sg", LONG, 7)] {
            let agent = world.start_counted(&format!("{place}_{app}_main_{commit}"), &profile(covered));
            world.pull(0);
            world.center.remove(&agent.url());
        }
    }
    world.configure("[apps.pay]\nweb = 'https://code.example/r/blob/{commit}/{path}#L{line}'\n");
    write_site(&world).assert_code(0);
    world
}

#[test]
fn the_way_back_the_name_and_the_totals_of_an_app_stay_on_a_phone() {
    let Some(mut browser) = Browser::start() else { return };
    let world = two_apps();
    on_each_screen(&mut browser, 640, |browser, view| {
        for (app, totals, most) in [("pay", "50.0 – 80.0%", 44), (LONG, "70.0%", 88)] {
            browser.open(&site_folder(&world).join(app).join("index.html"), "");
            assert_nothing_sticks_out(browser, view);
            browser.take_screenshot(&format!("phone-{}-{view}", &app[..3]));
            browser.eval("scrollTo(0, document.body.scrollHeight)");
            let shown = browser.texts(".top h1 .totals");
            if view.width > 640 {
                assert_eq!(shown, [] as [&str; 0], "{view}");
                continue;
            }
            assert_eq!(shown, [totals], "{view}");
            let [top, bottom] = browser.numbers(
                "(({ top, bottom }) => [top, bottom])(document.querySelector('.top h1').getBoundingClientRect())",
            );
            assert!(top == 0 && bottom <= most, "{view}: from {top} to {bottom}");
            let covered = browser.eval(
                "[...document.querySelectorAll('.top h1 *')].filter((part) => {
                    const { left, right, top, bottom } = part.getBoundingClientRect();
                    return left < 0 || right > innerWidth
                        || !part.contains(document.elementFromPoint((left + right) / 2, (top + bottom) / 2));
                }).length",
            );
            assert_eq!(covered, 0, "{view}: parts that are not seen");
            let [width, content] = browser.numbers(
                "(({ offsetWidth, scrollWidth }) => [offsetWidth, scrollWidth])(document.querySelector('.up'))",
            );
            assert!(width >= 24 && content <= width, "{view}: {content} in {width}");
            browser.take_screenshot(&format!("phone-end-{}-{view}", &app[..3]));
            // A row that takes the focus must not stand behind the line.
            browser.press("kkkkkk");
            let [focus] = browser.numbers("[document.activeElement.getBoundingClientRect().top]");
            assert!(focus >= bottom, "{view}: {focus} is behind {bottom}");
            browser.follow(".up");
            assert!(browser.text("title").starts_with("Coverage of "), "{view}");
        }
    });
}

#[test]
fn commits_lead_to_the_host_where_it_is_known_and_the_keys_pass_them() {
    let Some(mut browser) = Browser::start() else { return };
    let world = two_apps();
    let links = "[...document.querySelectorAll('main code a')].filter((link) => link.checkVisibility())";
    on_each_screen(&mut browser, 900, |browser, view| {
        for (page, number) in [("index.html", 2), ("pay/index.html", 8)] {
            browser.open(&site_folder(&world).join(page), "");
            assert_nothing_sticks_out(browser, view);
            // Rows get their size with the first picture of them.
            browser.take_screenshot(&format!("host-{}-{view}", &page[..3]));
            let found = browser.eval(&format!(
                "{links}.map((link) => [link.href === `https://code.example/r/commit/${{link.textContent}}`,
                    link.rel, link.offsetHeight >= 24, link.offsetWidth >= 24])"
            ));
            assert_eq!(
                found,
                json!(vec![(true, "noopener noreferrer", true, true); number]),
                "{page} at {view}"
            );
            let faults = browser.accessibility_violations().unwrap_or_default();
            assert_eq!(faults, [] as [&str; 0], "{page} at {view}");
        }
        browser.open(&site_folder(&world).join("pay/index.html"), "");
        let mut focus = Vec::new();
        for _ in 0..8 {
            browser.press("j");
            focus.push(browser.accessible_text_of_focus());
        }
        let of_reports = focus.iter().filter(|text| text.starts_with("link \"Report of ")).count();
        assert_eq!(of_reports, 6, "{view}: {focus:?}");
        browser.open(&site_folder(&world).join(LONG).join("index.html"), "");
        assert_eq!(browser.eval(&format!("{links}.length")), 0, "{view}: no host is known");
    });
}
