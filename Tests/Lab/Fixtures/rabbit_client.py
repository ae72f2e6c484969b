"""A client of RabbitMQ for tests, by pika.

usage: rabbit_client.py PORT, then a request on each line of stdin, as JSON:
  ["declare", QUEUE, {ARGUMENTS}]     a durable queue
  ["delete", QUEUE]
  ["exchange", NAME]                  a durable topic exchange
  ["bind", QUEUE, EXCHANGE, KEY]
  ["count", QUEUE]
  ["drain", QUEUE]                    all messages, which are then gone
The answer to each is one line of JSON.
"""
import hashlib
import json
import sys

import pika


def connect(port):
    # A broker that begins may have its port before it answers.
    return pika.BlockingConnection(
        pika.ConnectionParameters("127.0.0.1", port, heartbeat=0, connection_attempts=100, retry_delay=0.1))


def drain(channel, queue):
    count = channel.queue_declare(queue, passive=True).method.message_count
    messages = []
    channel.basic_qos(prefetch_count=100)
    if count:
        for method, properties, body in channel.consume(queue, auto_ack=False):
            messages.append({
                "id": properties.message_id, "headers": properties.headers or {}, "time": properties.timestamp,
                "app": properties.app_id, "mode": properties.delivery_mode, "type": properties.content_type,
                "key": method.routing_key, "count": len(body), "digest": hashlib.sha256(body).hexdigest()})
            if len(messages) == count:
                channel.basic_ack(method.delivery_tag, multiple=True)
                break
            if len(messages) % 50 == 0:
                channel.basic_ack(method.delivery_tag, multiple=True)
        channel.cancel()
    return messages


def answer(channel, verb, *words):
    if verb == "declare":
        channel.queue_declare(words[0], durable=True, arguments=words[1])
    elif verb == "delete":
        channel.queue_delete(words[0])
    elif verb == "exchange":
        channel.exchange_declare(words[0], "topic", durable=True)
    elif verb == "bind":
        channel.queue_bind(words[0], words[1], words[2])
    elif verb == "count":
        return channel.queue_declare(words[0], passive=True).method.message_count
    elif verb == "drain":
        return drain(channel, words[0])
    return "done"


for line in sys.stdin:
    connection = connect(int(sys.argv[1]))
    try:
        print(json.dumps(answer(connection.channel(), *json.loads(line))), flush=True)
    except pika.exceptions.ChannelClosedByBroker as error:
        print(json.dumps(f"{error.reply_code}"), flush=True)
    if connection.is_open:
        connection.close()
