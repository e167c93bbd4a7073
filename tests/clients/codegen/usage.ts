// What the generated types are good for: each line compiles, and those marked would not if a type were looser.
import type { EventsSubscription, IncidentFragment, PageQuery, PostMutation, PostMutationVariables } from './generated';

export const input: PostMutationVariables = { input: { incident: 'an id', body: 'We look.', status: 'MONITORING' } };

// @ts-expect-error A status that is not one.
export const wrong: PostMutationVariables = { input: { incident: 'an id', body: 'We look.', status: 'BROKEN' } };

// @ts-expect-error An update says something.
export const silent: PostMutationVariables = { input: { incident: 'an id' } };

export function tell(event: EventsSubscription['pageEvents']): string {
  switch (event.__typename) {
    case 'IncidentUpdatePosted':
      return `${event.update.status}: ${event.update.body}`;
    case 'ComponentStatusChanged':
      return `${event.component.name}: ${event.component.status}`;
    default:
      // @ts-expect-error Other events have no update.
      return event.update ?? event.cursor;
  }
}

export function allowed(error: PostMutation['incidentUpdatePost']['userErrors'][number]): readonly string[] {
  return error.__typename === 'IllegalTransition' ? error.allowed : [];
}

export function title(incident: IncidentFragment): string {
  // @ts-expect-error One that goes on has no end.
  const end: string = incident.resolvedAt;
  return `${incident.title}, from ${incident.startedAt} to ${end}`;
}

export function titles(query: PageQuery): string[] {
  // @ts-expect-error There may be no such page.
  query.page.name;
  return query.page?.incidents.nodes.map(({ title }) => title) ?? [];
}
