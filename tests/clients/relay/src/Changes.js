// What keeps it current: what happens, and what somebody on duty does.
import { graphql } from 'relay-runtime';

graphql`
  subscription ChangesSubscription($slug: String!, $after: Cursor) {
    pageEvents(page: $slug, after: $after) {
      __typename
      cursor
      page {
        status {
          indicator
        }
      }
      ... on IncidentOpened {
        incident {
          ...PageView_incident
        }
      }
      ... on IncidentUpdatePosted {
        incident {
          id
          status
        }
        update {
          ...Changes_update @relay(mask: false)
        }
      }
      ... on ComponentStatusChanged {
        component {
          ...PageView_component
        }
      }
    }
  }
`;

graphql`
  fragment Changes_update on IncidentUpdate {
    id
    status
    bodyHtml
  }
`;

graphql`
  mutation ChangesPostMutation($input: IncidentUpdatePostInput!, $connections: [ID!]!) {
    incidentUpdatePost(input: $input) {
      update @appendNode(connections: $connections, edgeTypeName: "IncidentUpdateEdge") {
        ...Changes_update @relay(mask: false)
      }
      userErrors {
        __typename
        code
        message
        ... on IllegalTransition {
          allowed
        }
      }
    }
  }
`;

graphql`
  query ChangesAgainQuery($ids: [ID!]!) {
    nodes(ids: $ids) {
      __typename
      id
      ...PageView_incident @alias
      ... on Page {
        name
      }
    }
  }
`;
