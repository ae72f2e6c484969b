import Model

extension SocketsRecorded {
  /// Answers of sctp_diag, made by hand after net/sctp/diag.c of Linux 6.18. The state of an association is
  /// SCTP's own number (linux/sctp.h), that of an endpoint is TCP's; addresses follow as struct sockaddr_storage.
  static let sctp = [
    Answer(
      testDescription: "an SCTP association, with a second address of its own", transport: .sctp,
      bytes: message(
        // family, ESTABLISHED, timer, retransmissions; ports 40000 and 5000
        "02 03 00 00  9c40 1388",
        "0a4d0101 00000000 00000000 00000000  0a4d0102 00000000 00000000 00000000",
        // interface, cookie; expiry, queues; user 1000, inode
        "02000000 04000000 00000000  00000000 00000000 00000000  e8030000 75220300",
        // shutdown, mark
        "0500 0800 00 000000  0800 0f00 00000000",
        // INET_DIAG_LOCALS: 10.77.1.1 and 10.78.1.1
        "0401 0c00", address("0a4d0101", port: "9c40"), address("0a4e0101", port: "9c40"),
        // INET_DIAG_PEERS: 10.77.1.2
        "8400 0d00", address("0a4d0102", port: "1388")),
      entry: SocketEntry(
        transport: .sctp, isV6: false, local: endpoint("10.77.1.1", 40000),
        remote: endpoint("10.77.1.2", 5000), inode: 205_429, uid: 1000)),
    Answer(
      testDescription: "an SCTP endpoint that listens: as open as a UDP socket", transport: .sctp,
      bytes: message(
        "02 0a 00 00  1388 0000",
        "00000000 00000000 00000000 00000000  00000000 00000000 00000000 00000000",
        "00000000 05000000 00000000  00000000 00000000 80000000  00000000 74220300",
        "0500 0800 00 000000  0800 0f00 00000000",
        // INET_DIAG_LOCALS: any address
        "8400 0c00", address("00000000", port: "1388")),
      entry: SocketEntry(
        transport: .sctp, isV6: false, local: endpoint("0.0.0.0", 5000), remote: endpoint("0.0.0.0", 0),
        inode: 205_428, uid: 0)),
  ]

  /// AF_INET, port and address in 128 bytes.
  private static func address(_ address: String, port: String) -> String {
    "0200" + port + address + String(repeating: "00", count: 120)
  }
}
