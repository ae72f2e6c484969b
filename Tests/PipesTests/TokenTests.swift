import Testing

@testable import Pipes

@Suite struct TokenTests {
  @Test(arguments: [
    Token(slot: 0, generation: 0, .waker), Token(slot: 7, generation: 3, .listener),
    Token(slot: 0, generation: 0, .client),
    Token(slot: 4_000_000_000, generation: 0xff_ffff, .client), Token(slot: 12, generation: 1, .attempt(0)),
    Token(slot: 12, generation: 1, .attempt(15)),
  ])
  func `a token survives the kernel`(token: Token) {
    #expect(Token(token.raw) == token)
  }

  @Test func `tokens of one connection differ by their descriptor only`() {
    let token = Token(slot: 9, generation: 0x1_00_00_07, .client)
    #expect(token.generation == 7)
    #expect(token.with(.attempt(2)).slot == 9)
    #expect(token.with(.attempt(2)) != token)
    #expect(Set((0..<16).map { token.with(.attempt($0)).raw }).count == 16)
  }
}
