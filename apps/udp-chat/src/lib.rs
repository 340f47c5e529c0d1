//! A serverless chat on one UDP socket.
