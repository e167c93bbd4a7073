//! A server that runs, warmed up by one subscriber, with events made as long as they shall be.

use std::time::{Duration, Instant};

use anyhow::Context;

use super::PATIENCE;
use crate::contender::{Contender, Programs, Publisher, Server};
use crate::load::{Ids, Load, Plan, Transport};
use crate::process;

/// Events to one subscriber, whose cost is that of publishing.
const ALONE: u64 = 20;

/// What a body is filled up with before it is known how long the rest of the message is.
const FIRST_FILLER: usize = 200;

/// A WebSocket frame's head, for a payload of 126 bytes to 64 KiB. Event streams get messages of the same length.
const FRAME_HEAD: usize = 4;

/// How often memory is looked at until it stands still, and how long at most.
const LOOK: Duration = Duration::from_millis(200);
const LOOKS: usize = 25;

/// Two looks that differ by less than this share saw the same.
const STILL: f64 = 0.002;

pub(super) struct Stage {
    pub(super) server: Server,
    pub(super) publisher: Publisher,
    pub(super) filler: usize,
    /// The number of the last event.
    pub(super) number: u64,
    /// Processor time for one event with one subscriber: what publishing costs.
    pub(super) publishing: Duration,
}

/// Memory at a moment, in bytes.
#[derive(Clone, Copy)]
pub(super) struct Memory {
    /// The server's resident memory.
    pub(super) resident: f64,
    /// What the kernel holds for sockets.
    pub(super) sockets: f64,
}

impl Stage {
    /// Starts a server for so many events of so many bytes.
    pub(super) fn set(
        contender: Contender,
        programs: &Programs,
        transport: Transport,
        payload: usize,
        events: usize,
    ) -> anyhow::Result<Stage> {
        let server = contender.start(programs, events + 2 * ALONE as usize)?;
        let publisher = server.publisher()?;
        let mut stage = Stage {
            server,
            publisher,
            filler: FIRST_FILLER,
            number: 0,
            publishing: Duration::ZERO,
        };
        stage.rehearse(transport, payload + FRAME_HEAD)?;
        Ok(stage)
    }

    /// One subscriber: how long a message is, and what publishing costs.
    fn rehearse(&mut self, transport: Transport, wished: usize) -> anyhow::Result<()> {
        let mut load = Load::open(self.plan(1, transport))?;
        load.live(PATIENCE)?;
        let length = self.one_by_one(&mut load, 1, ALONE)?;
        self.filler = (self.filler + wished)
            .checked_sub(length.round() as usize)
            .context("so short a message cannot hold the event")?;
        let before = self.server.process.cpu()?;
        self.one_by_one(&mut load, 1, ALONE)?;
        self.publishing = (self.server.process.cpu()? - before) / u32::try_from(ALONE)?;
        load.stop()?;
        Ok(())
    }

    /// Publishes events, each when the one before has come to all; returns the bytes of a message.
    fn one_by_one(&mut self, load: &mut Load, subscribers: u64, events: u64) -> anyhow::Result<f64> {
        let (received, bytes) = (load.received(), load.bytes());
        for turn in 1..=events {
            self.publish(load, received + turn * subscribers)?;
        }
        Ok((load.bytes() - bytes) as f64 / (events * subscribers) as f64)
    }

    /// Publishes an event, and waits until all have it; tells how long that took.
    pub(super) fn publish(&mut self, load: &mut Load, target: u64) -> anyhow::Result<Duration> {
        let began = Instant::now();
        self.post()?;
        let reached = load.wait_for(target, PATIENCE)?;
        Ok(reached.saturating_duration_since(began))
    }

    /// Publishes an event, and waits for nobody.
    pub(super) fn post(&mut self) -> anyhow::Result<()> {
        self.number += 1;
        self.publisher.publish(self.number, self.filler)
    }

    /// A plan of subscribers that all ask for the same.
    pub(super) fn plan(&self, subscribers: usize, transport: Transport) -> Plan {
        Plan {
            address: self.server.address,
            subscribers,
            transport,
            ids: Ids::Same,
            selections: 1,
            variants: false,
            reads: false,
        }
    }

    /// Memory, once it stands still.
    pub(super) fn memory(&self) -> anyhow::Result<Memory> {
        let look = || -> anyhow::Result<Memory> {
            Ok(Memory {
                resident: self.server.process.resident()? as f64,
                sockets: process::socket_memory()? as f64,
            })
        };
        let mut last = look()?;
        for _ in 0..LOOKS {
            std::thread::sleep(LOOK);
            let now = look()?;
            let moved = (now.resident - last.resident).abs();
            last = now;
            if moved < STILL * now.resident {
                break;
            }
        }
        Ok(last)
    }
}

impl Memory {
    /// KiB of each of so many subscribers more: resident, and in the kernel.
    pub(super) fn more_than(self, before: Memory, subscribers: usize) -> (f64, f64) {
        let each = |more: f64| more / 1024.0 / subscribers as f64;
        (
            each(self.resident - before.resident),
            each(self.sockets - before.sockets),
        )
    }
}
