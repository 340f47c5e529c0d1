"""The chat that udp-chat grew from: the three threads of the tutorial, word for word in what they do (its texts are in
English here, and the port is an argument)."""
import queue
import socket
import sys
import threading


def receive(udp_socket, q):
    while True:
        try:
            recv_msg = udp_socket.recvfrom(1024)
        except OSError:
            break
        else:
            recv_ip = recv_msg[1]
            recv_msg = recv_msg[0].decode("utf-8")
            info = ">>>%s:%s\n" % (str(recv_ip), recv_msg)
            print(info)
            q.put(info)


def save(q):
    while True:
        with open("./chat.txt", "a") as f:
            chat_info = q.get()
            print("writing (%s) to the history" % chat_info)
            f.write(chat_info)


def send(udp_socket, q):
    input("1: send data, 2: quit")


udp_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp_socket.bind(("", int(sys.argv[1])))
q = queue.Queue()
for target, arguments in [(receive, (udp_socket, q)), (send, (udp_socket, q)), (save, (q,))]:
    threading.Thread(target=target, args=arguments, daemon=True).start()
threading.Event().wait()
