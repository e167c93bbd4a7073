// What a status page in React would ask for: fragments, connections with more behind them, things fetched again.
import { graphql } from 'relay-runtime';

graphql`
  query PageViewQuery($slug: String!, $count: Int!, $cursor: String) {
    page(slug: $slug) {
      name
      cursor
      status {
        indicator
        description
      }
      components {
        ...PageView_component
      }
      ...PageView_history @arguments(count: $count, cursor: $cursor)
      id
    }
  }
`;

graphql`
  fragment PageView_component on Component @refetchable(queryName: "PageViewComponentQuery") {
    name
    status
    uptime(days: 7) {
      percentage
    }
  }
`;

graphql`
  fragment PageView_history on Page
  @argumentDefinitions(count: { type: "Int!" }, cursor: { type: "String" })
  @refetchable(queryName: "PageViewHistoryQuery") {
    incidents(first: $count, after: $cursor) @connection(key: "PageView_incidents") {
      totalCount
      edges {
        node {
          ...PageView_incident
        }
      }
    }
  }
`;

graphql`
  fragment PageView_incident on Incident
  @argumentDefinitions(count: { type: "Int", defaultValue: 10 }, cursor: { type: "String" })
  @refetchable(queryName: "PageViewIncidentQuery") {
    title
    impact
    updates(first: $count, after: $cursor, order: NEWEST_FIRST) @connection(key: "PageView_updates") {
      edges {
        node {
          bodyHtml
          displayAt
        }
      }
    }
  }
`;
