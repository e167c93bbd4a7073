//! Global ids: opaque, versioned text that names a thing and its kind.

use async_graphql::ID;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

/// The version of the ids' form. An id of another version names nothing.
const VERSION: u8 = 1;

/// The kinds of things that have an id. The numbers are part of the ids: they are never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(super) enum Kind {
    Page = 1,
    ComponentGroup = 2,
    Component = 3,
    Incident = 4,
    IncidentUpdate = 5,
    Maintenance = 6,
    MaintenanceUpdate = 7,
    Token = 8,
}

impl Kind {
    const ALL: [Kind; 8] = [
        Kind::Page,
        Kind::ComponentGroup,
        Kind::Component,
        Kind::Incident,
        Kind::IncidentUpdate,
        Kind::Maintenance,
        Kind::MaintenanceUpdate,
        Kind::Token,
    ];
}

/// The id of a thing.
pub(super) fn encode(kind: Kind, id: Uuid) -> ID {
    let mut bytes = vec![VERSION, kind as u8];
    bytes.extend(id.as_bytes());
    ID(URL_SAFE_NO_PAD.encode(bytes))
}

/// What an id names, or `None` for noise and for ids of another version.
pub(super) fn decode(id: &ID) -> Option<(Kind, Uuid)> {
    let bytes = <[u8; 18]>::try_from(URL_SAFE_NO_PAD.decode(id.as_str()).ok()?).ok()?;
    let [version, kind, uuid @ ..] = bytes;
    let kind = Kind::ALL
        .into_iter()
        .find(|known| *known as u8 == kind)
        .filter(|_| version == VERSION)?;
    Some((kind, Uuid::from_bytes(uuid)))
}

/// The thing of one kind that an id names. For an id of anything else this is the nil id, which nothing has: the command
/// then says that there is no such thing, in the words and at the place it would say so of any other.
pub(super) fn of(kind: Kind, id: &ID) -> Uuid {
    decode(id)
        .filter(|(found, _)| *found == kind)
        .map_or(Uuid::nil(), |(_, uuid)| uuid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_its_kind_and_thing() {
        let uuid = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        for kind in Kind::ALL {
            assert_eq!(decode(&encode(kind, uuid)), Some((kind, uuid)));
        }
    }

    #[test]
    fn noise_another_version_and_another_kind_name_nothing() {
        let page = encode(Kind::Page, Uuid::from_u128(7));
        assert_eq!(of(Kind::Incident, &page), Uuid::nil());
        for noise in [
            "",
            "1",
            "AQE",
            "not base64!",
            "AgEAAAAAAAAAAAAAAAAAAAAH",
            "AQkAAAAAAAAAAAAAAAAAAAAH",
        ] {
            assert_eq!(decode(&ID(noise.to_owned())), None, "{noise}");
        }
    }
}
