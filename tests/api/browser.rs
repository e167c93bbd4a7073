//! What pages of other origins can make a browser do here: nothing that changes anything.

use reqwest::Method;
use serde_json::json;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::support::database::ADMIN;
use crate::support::{for_each_database, harmless};

#[tokio::test]
async fn row_33_a_socket_from_a_foreign_origin_is_refused_before_the_upgrade() {
    for_each_database(async |test| {
        let page = test.page("foreign").await;

        harmless(test, &page, async || {
            for origin in ["https://evil.example", "null", "http://127.0.0.1:1"] {
                let url = format!("ws://{}/graphql/ws", test.address);
                let mut request = url.into_client_request().expect("a request");
                request
                    .headers_mut()
                    .insert("origin", origin.parse().expect("a header value"));

                let refused = tokio_tungstenite::connect_async(request).await;

                match refused {
                    Err(Error::Http(response)) => assert_eq!(response.status().as_u16(), 403, "{origin}"),
                    other => panic!("{origin}: {other:?}"),
                }
            }
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn row_34_seven_content_types_by_get_and_post_from_three_origins_change_nothing() {
    for_each_database(async |test| {
        let page = test.page("posted").await;
        let document = format!("mutation{{pageArchive(input:{{page:\"{page}\"}}){{archivedPageId}}}}");
        let escaped = document.replace('"', "\\\"");
        let bodies = [
            json!({ "query": document }).to_string(),
            format!("query={document}"),
            format!("--x\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\n{document}\r\n--x--\r\n"),
            format!(r#"{{"query":"{escaped}","x":"="}}"#),
        ];
        let mut url = reqwest::Url::parse(&test.graphql()).expect("an address");
        url.query_pairs_mut().append_pair("query", &document);

        // With the token that would let it: a page may have got hold of one, and may still not use it.
        harmless(test, &page, async || {
            for origin in ["https://evil.example", "null", "http://127.0.0.1.evil.example"] {
                for content_type in [
                    "",
                    "text/plain",
                    "application/x-www-form-urlencoded",
                    "multipart/form-data; boundary=x",
                    "application/graphql",
                    "text/plain; charset=application/json",
                    "application/json",
                ] {
                    for method in [Method::GET, Method::POST] {
                        for body in &bodies {
                            let request = test
                                .http
                                .request(method.clone(), url.clone())
                                .bearer_auth(ADMIN)
                                .header("origin", origin)
                                .header("content-type", content_type)
                                .body(body.clone());
                            let status = request.send().await.expect("the server answers").status().as_u16();
                            let expected: &[u16] = match (&method, content_type) {
                                (&Method::GET, _) => &[405],
                                // What is no JSON by its text, and what is.
                                (_, "application/json") => &[400, 403],
                                _ => &[415],
                            };
                            assert!(expected.contains(&status), "{origin} {content_type} {method}: {status}");
                        }
                    }
                }
            }
        })
        .await;
        let posted = test
            .http
            .post(url)
            .bearer_auth(ADMIN)
            .header("origin", format!("http://{}", test.address));
        let posted = posted
            .header("content-type", "application/json")
            .body(bodies[0].clone());
        assert_eq!(posted.send().await.expect("an answer").status().as_u16(), 200);
        let gone = test.public_data("{ page(slug: \"posted\") { id } }", json!({})).await;
        assert_eq!(gone, json!({ "page": null }), "the mutation is one that works");
    })
    .await;
}
