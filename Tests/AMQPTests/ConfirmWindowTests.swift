@testable import AMQP
