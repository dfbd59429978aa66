"""The description of the interface for programs (WSDL 1.1, document/literal), made from the table."""

from functools import lru_cache
from types import MappingProxyType
from typing import Final
from xml.sax.saxutils import quoteattr

from adapters.helpdesks.ggus_soap import files
from adapters.helpdesks.ggus_soap.envelope import NAMESPACE
from adapters.helpdesks.ggus_soap.operations import OPERATIONS, Operation, on_the_wire

_TYPES: Final = MappingProxyType({
    "startRecord": "integer", "maxLimit": "integer", files.SIZE: "integer", files.TOLD_SIZE: "integer",
    files.DATA: "base64Binary", files.TOLD_DATA: "base64Binary",
})  # fmt: skip
"""Of fields that are no text."""
_HEADER: Final = '<soap:header message="tns:AuthenticationInfo" part="header" use="literal"/>'


@lru_cache(maxsize=16)
def wsdl(address: str) -> bytes:
    """The document for an endpoint at this address."""
    types, messages, port, binding = [], [], [], []
    for name, operation in OPERATIONS.items():
        types += [_request(name, operation), _response(name, operation)]
        messages += [
            f'<message name="{message}"><part name="parameters" element="tns:{message}"/></message>'
            for message in (name, f"{name}Response")
        ]
        port.append(
            f'<operation name="{name}"><input message="tns:{name}"/>'
            f'<output message="tns:{name}Response"/></operation>'
        )
        binding.append(
            f'<operation name="{name}"><soap:operation soapAction="{NAMESPACE}/{name}"/>'
            f'<input><soap:body use="literal"/>{_HEADER}</input>'
            '<output><soap:body use="literal"/></output></operation>'
        )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:tns="{NAMESPACE}" name="GGUS" targetNamespace="{NAMESPACE}">
<types><xsd:schema targetNamespace="{NAMESPACE}" elementFormDefault="qualified">
<xsd:element name="AuthenticationInfo"><xsd:complexType><xsd:sequence>
<xsd:element name="userName" type="xsd:string"/><xsd:element name="password" type="xsd:string"/>
<xsd:element name="authentication" type="xsd:string" minOccurs="0"/>
<xsd:element name="locale" type="xsd:string" minOccurs="0"/>
<xsd:element name="timeZone" type="xsd:string" minOccurs="0"/>
</xsd:sequence></xsd:complexType></xsd:element>
{_lines(types)}
</xsd:schema></types>
<message name="AuthenticationInfo"><part name="header" element="tns:AuthenticationInfo"/></message>
{_lines(messages)}
<portType name="GGUSPort">
{_lines(port)}
</portType>
<binding name="GGUSSoap" type="tns:GGUSPort">
<soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
{_lines(binding)}
</binding>
<service name="GGUSService"><port name="GGUSSoap" binding="tns:GGUSSoap">
<soap:address location={quoteattr(address)}/></port></service>
</definitions>
""".encode()


def _request(name: str, operation: Operation) -> str:
    fields = [_element(field) for field in operation.needed]
    fields += [_element(field, optional=True) for field in operation.optional]
    return _complex(name, fields)


def _response(name: str, operation: Operation) -> str:
    fields = [_element(field, optional=True) for field in operation.answer]
    if operation.rows:
        row = f'<xsd:element name="{operation.rows}" minOccurs="0" maxOccurs="unbounded">'
        fields = [f"{row}{_sequence(fields)}</xsd:element>"]
    return _complex(f"{name}Response", fields)


def _complex(name: str, fields: list[str]) -> str:
    return f'<xsd:element name="{name}">{_sequence(fields)}</xsd:element>'


def _sequence(fields: list[str]) -> str:
    return f"<xsd:complexType><xsd:sequence>{''.join(fields)}</xsd:sequence></xsd:complexType>"


def _element(name: str, *, optional: bool = False) -> str:
    kind = _TYPES.get(name, "string")
    occurs = ' minOccurs="0"' if optional else ""
    return f'<xsd:element name="{on_the_wire(name)}" type="xsd:{kind}"{occurs}/>'


def _lines(parts: list[str]) -> str:
    return "\n".join(parts)
