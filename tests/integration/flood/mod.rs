//! Floods: strangers connect, send and read as badly as they can, and genuine callbacks still get their 200 within a second.
//!
//! Linux lets a client use every address of 127.0.0.0/8.

mod attacks;
mod behind_caddy;
mod direct;
mod flooding;
mod genuine;
